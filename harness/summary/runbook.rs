//! The lines of the runbook's own summary, as its `jq` prints them: scripts and notes quote them.

use std::path::Path;

use serde_json::Value;

use super::GateSummary;
use crate::evidence::Evidence;
use crate::evidence::layout::RECORD;
use crate::plan::Gate;

/// Returns the runbook's lines about a gate's answer; none for a gate that left no answer.
pub(super) fn lines(run_dir: &Path, gate: &GateSummary) -> Vec<String> {
    let record = run_dir.join(&gate.folder).join(RECORD);
    let Ok(evidence) = Evidence::load(run_dir, &record) else { return Vec::new() };
    match gate.key.gate {
        Gate::Preflight => Vec::new(),
        Gate::Inventory => evidence.json("profile-list").map(|answer| inventory(&answer)).unwrap_or_default(),
        Gate::Startup(_) | Gate::Workload(_) => evidence.json("validate").iter().map(validated).collect(),
    }
}

fn inventory(answer: &Value) -> Vec<String> {
    let names: Vec<String> = each(&answer["profiles"]).map(|profile| raw(&profile["name"])).collect();
    vec![format!("profile-list ok={}", raw(&answer["ok"])), format!("profiles={}", names.join(","))]
}

fn validated(answer: &Value) -> String {
    let check = |check: &Value| format!("{}={}", raw(&check["name"]), raw(&check["ok"]));
    let checks: Vec<String> = each(&answer["checks"]).map(check).collect();
    let (project, profile, ok) = (raw(&answer["project"]), raw(&answer["profile"]), raw(&answer["ok"]));
    format!("project={project} profile={profile}: ok={ok} checks={}", checks.join(","))
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// As `jq` puts a value into a string; on one line, whatever it holds.
fn raw(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| text.replace(char::is_control, " "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_lines_are_those_of_jq() {
        let list = json!({ "ok": true, "profiles": [{ "name": "a" }, { "name": "b" }] });
        assert_eq!(inventory(&list), ["profile-list ok=true", "profiles=a,b"]);
        let checks = json!([{ "name": "x", "ok": true }, { "name": "y", "ok": false }]);
        let answer = json!({ "ok": false, "project": "p", "profile": "k1s-ha-min", "checks": checks });
        assert_eq!(validated(&answer), "project=p profile=k1s-ha-min: ok=false checks=x=true,y=false");
        let refused = json!({ "ok": false, "error": { "code": "E" } });
        assert_eq!(validated(&refused), "project=null profile=null: ok=false checks=");
        assert_eq!(validated(&json!("x\ny")), "project=null profile=null: ok=null checks=");
    }
}
