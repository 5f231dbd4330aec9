//! The process of the echo app, as it says itself that the kernel has it: what its manifest asks for.

use serde::{Deserialize, Serialize};

use super::Echo;
use crate::attest::ingress::Ingress;
use crate::attest::tls::Question;
use crate::failure::{Kind, Mismatch};

/// The values that the manifest asks for. The user differs from the image's: if k1s ignores the manifest's, the app runs as
/// the image's.
pub(super) const USER: u32 = 1234;
pub(super) const MEMORY: &str = "96Mi";
pub(super) const ARRIVES: &str = "as the manifest says";
const BYTES: &str = "100663296";

/// The user, group and limits of a process, by its own report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its user.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// The capabilities that it can ever have, in hexadecimal.
    pub capabilities: String,
    /// The options that its root is mounted with.
    pub root: String,
    /// The most memory that its control group may take, in bytes; `max` for no limit.
    pub memory: Option<String>,
    /// A variable of the manifest's.
    pub environment: Option<String>,
}

/// Asks the app.
pub(super) async fn of(ingress: &Ingress, url: &str) -> Result<Process, String> {
    let answer = ingress.trust.ask(Question::get(url)).await.map_err(|answer| format!("{answer:?}"))?;
    let text = String::from_utf8_lossy(&answer.body);
    serde_json::from_str(&text)
        .map_err(|error| format!("status {}, {error}: {}", answer.status, text.chars().take(200).collect::<String>()))
}

/// The process is as its manifest says.
pub fn judge(seen: &Echo) -> Result<(), Mismatch> {
    let process = seen.process.as_ref().map_err(|why| {
        Mismatch::new(format!("the echo app does not say what its process may do: {why}"), &seen.url).of(Kind::Silence)
    })?;
    let Process { user, group, capabilities, root, memory, environment } = process;
    let what = if (*user, *group) != (USER, USER) {
        format!("it runs as user {user} and group {group} instead of {USER}")
    } else if capabilities.bytes().any(|digit| digit != b'0') {
        format!("it has capabilities: {capabilities}")
    } else if !root.split(',').any(|option| option == "ro") {
        format!("its root is not read-only but {root}")
    } else if memory.as_deref() != Some(BYTES) {
        format!("its limit of memory is {} instead of {BYTES} bytes", memory.as_deref().unwrap_or("not to be seen"))
    } else if environment.as_deref() != Some(ARRIVES) {
        "a variable of its environment did not arrive".to_owned()
    } else {
        return Ok(());
    };
    Err(Mismatch::new(format!("the echo app is not confined as its manifest says: {what}"), process))
}
