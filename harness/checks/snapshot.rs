//! The shape of a gate's evidence against the one that was accepted for this version of `WorkerBee`.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::PathBuf;

use super::Check;
use crate::evidence::{Evidence, shape};
use crate::failure::Failure;
use crate::plan::Transport;

/// `<gate>::snapshot`: the answer to `label` has the accepted shape.
pub fn snapshot(label: &'static str) -> Check {
    Check::new("snapshot", move |evidence| compare(evidence, label))
        .expecting("the shape of the answer that was accepted for this version of WorkerBee")
}

fn compare(evidence: &Evidence, label: &str) -> Result<(), Failure> {
    let record = &evidence.record;
    let shape = shape(&evidence.json(label)?, &[&record.project]);
    let version = record.versions.get("WorkerBee").map_or("unknown", String::as_str);
    let folder = folder().join(format!("workerbee-{version}"));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut name = record.gate.slug();
    if record.transport == Transport::Mcp {
        name.push_str(".mcp");
    }
    // insta has already printed the difference; a panic's backtrace through the harness would only hide it.
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let equal = settings.bind(|| catch_unwind(AssertUnwindSafe(|| insta::assert_json_snapshot!(name.clone(), shape))));
    set_hook(hook);
    equal.map_err(|_| {
        Failure::new(format!("the shape of `{label}` is not the accepted one of WorkerBee {version}"))
            .expected(folder.join(format!("{name}.snap")).display().to_string())
            .seen("another shape: insta printed the difference above")
            .evidence(record.calls.get(label).map_or_else(|| evidence.file.clone(), |call| evidence.path(call)))
            .remedy(
                "if WorkerBee's answer was meant to change, accept it: `cargo insta review`, or INSTA_UPDATE=always",
            )
    })
}

/// A consumer's own snapshots when it keeps some, else those that come with the harness.
fn folder() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").map(|root| PathBuf::from(root).join("snapshots"));
    own.filter(|folder| folder.is_dir()).unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("snapshots"))
}
