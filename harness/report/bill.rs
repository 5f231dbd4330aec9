//! The processor time of the gates, by program.

use maud::{Markup, html};

use super::excerpt::visible;
use super::run::RunReport;
use crate::evidence::{Bill, Phase, Program};

/// The number of probes that are listed.
const SLOWEST: usize = 20;

/// Programs with less of the whole than this stand in one line.
const TOLD: f64 = 0.005;

pub(super) fn render(run: &RunReport) -> Markup {
    let gates = run.gates.iter().filter_map(|gate| Some((gate.name.as_str(), gate.summary.bill.as_ref()?)));
    let gates: Vec<(&str, &Bill)> = gates.collect();
    let Some(sum) = Bill::sum(gates.iter().map(|(_, bill)| *bill)) else { return html! {} };
    let (told, rest): (Vec<&Program>, Vec<&Program>) =
        sum.programs.iter().partition(|program| program.seconds >= TOLD * sum.seconds());
    html! {
        section #bill aria-labelledby="bill-heading" {
            h2 #bill-heading { "Where the time went" }
            p.note {
                (seconds(sum.seconds())) " of processor time in " (sum.starts()) " starts of programs, "
                (share(sum.harness_seconds, sum.seconds())) " of it the harness's own. "
                @if sum.cgroup_seconds.is_some() {
                    "It is what the kernel counted for the cgroups of the lanes and their containers; "
                    (share(sum.untold_seconds, sum.seconds())) " of it is told of no program: threads that end before their first sample, and switches."
                } @else {
                    "It is the sum of all programs: the kernel's own could not be read."
                }
            }
            @for why in &sum.incomplete { p.note { "Not the whole: " (visible(why)) } }
            details {
                summary { "By program" }
                table {
                    thead { tr { th scope="col" { "Program" } th.number scope="col" { "Starts" } th.number scope="col" { "Seconds" } th.number scope="col" { "Share" } } }
                    tbody {
                        @for program in &told {
                            tr {
                                td { code { (visible(&program.name)) } }
                                td.number { (program.starts) }
                                td.number { (format!("{:.2}", program.seconds)) }
                                td.number { (share(program.seconds, sum.seconds())) }
                            }
                        }
                        @if !rest.is_empty() {
                            @let (starts, used) = rest.iter().fold((0, 0.0), |(starts, used), one| (starts + one.starts, used + one.seconds));
                            tr {
                                td { (rest.len()) " others" }
                                td.number { (starts) }
                                td.number { (format!("{used:.2}")) }
                                td.number { (share(used, sum.seconds())) }
                            }
                        }
                        @if sum.untold_seconds > 0.0 {
                            tr {
                                td { "told of no program" }
                                td.number { "" }
                                td.number { (format!("{:.2}", sum.untold_seconds)) }
                                td.number { (share(sum.untold_seconds, sum.seconds())) }
                            }
                        }
                    }
                }
            }
            (by_probe(run))
            details {
                summary { "By gate" }
                table {
                    thead { tr { th scope="col" { "Gate" } th.number scope="col" { "Starts" } th.number scope="col" { "Seconds" } th scope="col" { "Most of it" } } }
                    tbody {
                        @for (name, bill) in &gates {
                            tr {
                                td { (super::excerpt::visible(name)) }
                                td.number { (bill.starts()) }
                                td.number { (format!("{:.1}", bill.seconds())) }
                                td { (visible(&most(bill))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How long the probes took, the slowest first. They run side by side in one process: what k1s does for each of them
/// has no bill of its own.
fn by_probe(run: &RunReport) -> Markup {
    let mut probes: Vec<(&str, &Phase)> =
        run.gates.iter().flat_map(|gate| gate.probes().iter().map(|probe| (gate.name.as_str(), probe))).collect();
    probes.sort_by(|(_, one), (_, other)| other.seconds.total_cmp(&one.seconds));
    html! {
        @if !probes.is_empty() {
            details {
                summary { "The slowest probes" }
                p.note { "Those of a gate are observed side by side." }
                table {
                    thead { tr { th scope="col" { "Probe" } th scope="col" { "Gate" } th.number scope="col" { "Took" } } }
                    tbody {
                        @for (gate, probe) in probes.iter().take(SLOWEST) {
                            tr {
                                td { code { (visible(&probe.name)) } }
                                td { (visible(gate)) }
                                td.number { (seconds(probe.seconds)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The costliest programs in a line.
fn most(bill: &Bill) -> String {
    let programs = bill.programs.iter().take(4);
    programs.map(|program| format!("{} {:.1}", program.name, program.seconds)).collect::<Vec<_>>().join(", ")
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

fn share(part: f64, whole: f64) -> String {
    if whole > 0.0 { format!("{:.1} %", part / whole * 100.0) } else { "-".to_owned() }
}
