//! A comparison as a page.

use maud::{Markup, html};

use super::Comparison;
use super::text::{brief, noise};
use crate::report::{document, visible};

pub(super) fn render(comparison: &Comparison) -> String {
    let title = if comparison.differs() { "Different" } else { "Same" };
    let body = html! {
        header.masthead.(if comparison.differs() { "is-fail" } else { "is-pass" }) {
            p.eyebrow { "k1s profile gates · two runs" }
            h1 { span.seal aria-hidden="true" { (if comparison.differs() { "≠" } else { "=" }) } (title) }
            p.lead {
                (comparison.verdicts.len()) " verdicts, " (comparison.shapes.len()) " shapes and "
                (comparison.timings.len()) " times differ."
            }
            dl.told {
                @for (letter, side) in ["A", "B"].into_iter().zip(&comparison.runs) {
                    div { dt { (letter) } dd { (side.started.strftime("%F %H:%M UTC")) ", WorkerBee " (visible(&side.workerbee)) ", " code { (visible(&side.run_dir.display().to_string())) } } }
                }
            }
        }
        main id="content" {
            (table("Other parts", "What may explain the rest.", comparison.parts.iter().map(|part| {
                (part.name.clone(), part.values.clone().map(|value| value.unwrap_or_else(|| "none".into())), None)
            }).collect()))
            (table("Gates of one run only", "", comparison.alone.iter().map(|gate| {
                (gate.gate.clone(), gate.there.map(|there| if there { "run" } else { "not run" }.to_owned()), None)
            }).collect()))
            (table("Checks with another verdict", "", comparison.verdicts.iter().map(|turned| {
                (turned.check.clone(), turned.verdicts.map(String::from), turned.why.clone())
            }).collect()))
            (table("Times beyond noise", &format!("Noise: {}. Waiting is left out.", noise(comparison)), comparison.timings.iter().map(|moved| {
                let what = moved.phase.as_deref().unwrap_or("in all");
                (format!("{} {what}", moved.gate), moved.seconds.map(|seconds| format!("{seconds:.1} s")), None)
            }).collect()))
            (table("Evidence of another shape", "", comparison.shapes.iter().flat_map(|drift| {
                drift.changes.iter().map(move |change| {
                    let place = format!("{} {} {}", drift.gate, drift.of, change.pointer);
                    (place, change.shapes.each_ref().map(|shape| brief(shape.as_ref())), None)
                })
            }).collect()))
        }
    };
    document(&format!("{title}: two runs of the k1s profile gates"), &body)
}

type Row = (String, [String; 2], Option<String>);

fn table(title: &str, note: &str, rows: Vec<Row>) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if !note.is_empty() { p.note { (note) } }
            @if rows.is_empty() { p { "None." } } @else {
                div.scroll tabindex="0" role="region" aria-label=(title) {
                    table.wide {
                        thead { tr { th scope="col" { "What" } th scope="col" { "A" } th scope="col" { "B" } } }
                        tbody {
                            @for (name, [first, second], why) in rows {
                                tr {
                                    th scope="row" { (visible(&name)) @if let Some(why) = why { br; span.note { (visible(&why)) } } }
                                    td { (visible(&first)) } td { (visible(&second)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
