//! A 409 on apply, forced: before `WorkerBee` applies, the lease of k1s-ha-min goes to another controller. The gate is run
//! once more in a fresh project, passes, and is called flaky wherever a verdict is told.

use k1s_profile_gates::plan::{Gate, Profile};

use crate::outcome;
use crate::rows::Row;

/// Controller 0 is stopped, its lease revoked, and it goes on when another one leads. Not in the rerun, whose project's
/// name ends in `h2`.
const ROW: Row = Row {
    name: "conflict",
    gate: Gate::Workload(Profile::HaMin),
    breaks: r#"
        take_the_lease() {
            key=$(printf %s "k1s/workerbee/$project/k1s-ha-min/controlplane/leader" | base64 --wrap 0)
            lease() { etcd range "{\"key\": \"$key\"}" | "$python" -c 'import json, sys; print(json.load(sys.stdin)["kvs"][0]["lease"])'; }
            for _ in $(seq 600); do first=$(lease 2> /dev/null) && break; sleep 0.1; done
            stopped=$(main_process k1s-ha-min-controller-0)
            kill -STOP "$stopped"
            etcd lease/revoke "{\"ID\": \"$first\"}"
            for _ in $(seq 300); do now=$(lease 2> /dev/null) && [ "$now" != "$first" ] && break; sleep 0.1; done
            kill -CONT "$stopped"
        }
        before_validate() {
            case $project in
            *h2) ;;
            *)
                export -f take_the_lease etcd containers named main_process
                export project python folder namespace
                leave bash -c take_the_lease
                ;;
            esac
        }"#,
    env: &[],
    red: &[],
};

pub(crate) fn check() -> Result<(), String> {
    let number = crate::rows::all().count();
    let outcome = outcome::of(number, &ROW);
    let mut wrong = outcome.differs_from(&ROW);
    for (place, text) in &outcome.told {
        for word in ["409 Conflict", "not-leader", "k1s-ha-min-controller-"] {
            if !text.contains(word) {
                wrong.push(format!("{place} does not say `{word}`"));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{:?}", wrong.join("\n"), outcome.failed)) }
}
