//! A program in a running container, through containerd's API: no nerdctl is needed, and none of its settings counts.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use containerd_client::services::v1::containers_client::ContainersClient;
use containerd_client::services::v1::tasks_client::TasksClient;
use containerd_client::services::v1::{
    DeleteProcessRequest, ExecProcessRequest, GetContainerRequest, KillRequest, StartRequest, WaitRequest,
};
use serde_json::{Value, json};

use super::containerd::{Containerd, in_namespace};
use crate::failure::Failure;

/// The time that a program may take.
const LIMIT: Duration = Duration::from_secs(20);
const KILL: u32 = 9;
/// The type by which containerd knows the description of a process.
const PROCESS: &str = "types.containerd.io/opencontainers/runtime-spec/1/Process";
/// The number of bytes of its output that are read.
const READ: usize = 4096;

impl Containerd {
    /// Runs a program in a container, as the container's own user, and gives what it prints; or how it ended otherwise.
    ///
    /// `folder` is one that the container's shim can reach: the pipes are made there, and removed.
    pub async fn output(
        &self,
        namespace: &str,
        container: &str,
        arguments: &[&str],
        folder: &Path,
    ) -> Result<Result<String, String>, Failure> {
        let mut containers = ContainersClient::new(self.channel());
        let request = in_namespace(GetContainerRequest { id: container.to_owned() }, namespace)?;
        let found = containers.get(request).await.map_err(|status| self.refused(&status))?.into_inner().container;
        let Some(mut spec) = found.and_then(|container| container.spec) else {
            return Ok(Err("containerd has no specification of its container".to_owned()));
        };
        spec.value = process(&spec.value, arguments).to_string().into_bytes();
        PROCESS.clone_into(&mut spec.type_url);
        let name = name();
        // Pipes, as all clients of containerd use: asked to write into a file, the shim of 1.6 panics, and with it ends
        // what runs in the container.
        let pipes = ["out", "err"].map(|end| Pipe::make(&folder.join(format!("{name}.{end}"))));
        let [Ok(mut out), Ok(err)] = pipes else {
            return Ok(Err(format!("no pipe can be made in {}", folder.display())));
        };
        let mut tasks = TasksClient::new(self.channel());
        let (container_id, exec_id) = (container.to_owned(), name.clone());
        let request = ExecProcessRequest {
            container_id: container_id.clone(),
            exec_id: exec_id.clone(),
            stdout: out.path.display().to_string(),
            stderr: err.path.display().to_string(),
            spec: Some(spec),
            ..Default::default()
        };
        tasks.exec(in_namespace(request, namespace)?).await.map_err(|status| self.refused(&status))?;
        let ended = async {
            let start = StartRequest { container_id: container_id.clone(), exec_id: exec_id.clone() };
            if let Err(status) = tasks.start(in_namespace(start, namespace)?).await {
                return Ok(Err(status.message().to_owned()));
            }
            let wait = WaitRequest { container_id: container_id.clone(), exec_id: exec_id.clone() };
            let waited = tokio::time::timeout(LIMIT, tasks.wait(in_namespace(wait, namespace)?)).await;
            Ok::<_, Failure>(match waited {
                Ok(Ok(ended)) if ended.get_ref().exit_status == 0 => Ok(()),
                Ok(Ok(ended)) => Err(format!("it ended with {}", ended.get_ref().exit_status)),
                Ok(Err(status)) => Err(status.message().to_owned()),
                Err(_) => Err(format!("it did not end within {} s", LIMIT.as_secs())),
            })
        };
        let ended = ended.await?;
        if ended.is_err() {
            let kill =
                KillRequest { container_id: container_id.clone(), exec_id: exec_id.clone(), signal: KILL, all: false };
            let _ = tasks.kill(in_namespace(kill, namespace)?).await;
        }
        // With it all that the program printed is in the pipe.
        let _ = tasks.delete_process(in_namespace(DeleteProcessRequest { container_id, exec_id }, namespace)?).await;
        let text = out.text();
        Ok(ended.map(|()| text.clone()).map_err(|why| if text.is_empty() { why } else { format!("{why}: {text}") }))
    }
}

/// A named pipe, and the end of it that is read. It is removed with this value.
struct Pipe {
    path: PathBuf,
    end: File,
}

impl Pipe {
    fn make(path: &Path) -> std::io::Result<Self> {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0)?;
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
        // Without waiting for a writer.
        let end = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        Ok(Self { path: path.to_owned(), end })
    }

    /// Reads the text that was written into it by now: as much as a pipe holds at the most.
    fn text(&mut self) -> String {
        let mut text = vec![0; READ];
        let read = self.end.read(&mut text).unwrap_or_default();
        String::from_utf8_lossy(&text[..read]).trim().to_owned()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The container's own process with other arguments.
fn process(specification: &[u8], arguments: &[&str]) -> Value {
    let whole: Value = serde_json::from_slice(specification).unwrap_or_default();
    let mut process = whole.get("process").cloned().unwrap_or_else(|| json!({ "cwd": "/" }));
    process["args"] = json!(arguments);
    process["terminal"] = json!(false);
    process
}

/// A name that no other program in the container has.
fn name() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("k1s-gates-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_run_is_another() {
        let whole =
            json!({ "process": { "terminal": true, "cwd": "/srv", "user": { "uid": 7 }, "args": ["caddy", "run"] } });
        let process = process(whole.to_string().as_bytes(), &["/proc/1/exe", "version"]);
        let expected = json!({
            "terminal": false, "cwd": "/srv", "user": { "uid": 7 }, "args": ["/proc/1/exe", "version"],
        });
        assert_eq!(process, expected);
    }
}
