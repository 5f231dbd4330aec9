//! Programs that are waited for: each has a limit, and what it prints a size.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, kill_process_group};

/// The most that is read of what a program prints.
const SIZE: u64 = 16 * 1024 * 1024;

/// Runs a program to its end. One that takes longer is ended with all of its process group, and so is one that has left
/// something running when this returns with an error; what a program leaves on purpose keeps nobody waiting.
pub(crate) fn within(command: &mut Command, limit: Duration) -> io::Result<Output> {
    // Files rather than pipes: what the program leaves running does not keep them open for the reader.
    // In memory: a folder for temporary files that cannot be written to is none of the program's business.
    let memory = |name: &str| memfd_create(name, MemfdFlags::CLOEXEC).map(File::from);
    let (stdout, stderr) = (memory("stdout")?, memory("stderr")?);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?).process_group(0).spawn()?;
    let begin = Instant::now();
    let mut pause = Duration::from_millis(1);
    let status = loop {
        let printed = stdout.metadata()?.len().max(stderr.metadata()?.len());
        let why = match child.try_wait()? {
            Some(status) => break status,
            None if begin.elapsed() > limit => format!("{program} took more than {} s", limit.as_secs()),
            None if printed > SIZE => format!("{program} printed more than {SIZE} bytes"),
            None => {
                std::thread::sleep(pause);
                pause = (2 * pause).min(Duration::from_millis(20));
                continue;
            }
        };
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait();
        let said = String::from_utf8_lossy(&read(stderr)?).lines().last().unwrap_or_default().to_owned();
        let said = if said.is_empty() { said } else { format!("; its last words: {said}") };
        return Err(io::Error::new(io::ErrorKind::TimedOut, why + &said));
    };
    Ok(Output { status, stdout: read(stdout)?, stderr: read(stderr)? })
}

/// Runs a program of which only its good end matters; with an error the last line that it printed to standard error.
pub(crate) fn done_within(command: &mut Command, limit: Duration) -> io::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = within(command.stdin(Stdio::null()), limit)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    Err(io::Error::other(format!("{program} ended with {}{said}", output.status)))
}

fn read(mut printed: File) -> io::Result<Vec<u8>> {
    printed.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    printed.take(SIZE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> io::Result<Output> {
        within(Command::new("sh").args(["-c", script]).stdin(Stdio::null()), limit)
    }

    #[test]
    fn a_program_that_hangs_or_prints_without_end_is_ended() {
        let hangs = shell("echo at work >&2; sleep 100 & wait", Duration::from_millis(300)).unwrap_err().to_string();
        assert!(hangs.contains("sh took more than 0 s; its last words: at work"), "{hangs}");
        let prints = shell("yes", Duration::from_mins(1)).unwrap_err().to_string();
        assert!(prints.contains("sh printed more than"), "{prints}");
    }

    #[test]
    fn a_bad_end_is_an_error_with_its_last_words() {
        let end = |script| done_within(Command::new("sh").args(["-c", script]), Duration::from_mins(1));
        assert!(end("echo fine >&2").is_ok());
        let failed = end("echo one >&2; echo two >&2; exit 3").unwrap_err().to_string();
        assert_eq!(failed, "sh ended with exit status: 3: two");
        assert_eq!(end("kill -9 $$").unwrap_err().to_string(), "sh ended with signal: 9 (SIGKILL)");
    }

    #[test]
    fn a_program_that_ends_is_not_waited_for_longer() {
        let output = shell("echo out; echo err >&2; sleep 100 & exit 3", Duration::from_mins(1)).unwrap();
        assert_eq!(
            (output.status.code(), output.stdout, output.stderr),
            (Some(3), b"out\n".to_vec(), b"err\n".to_vec())
        );
    }
}
