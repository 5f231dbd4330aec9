//! The environment of the run.

use maud::{Markup, html};

use super::excerpt::visible;
use super::run::RunReport;
use crate::lane::Mode;
use crate::tree::Identity;

pub(super) fn render(run: &RunReport) -> Markup {
    let summary = &run.summary;
    let mode = match &summary.mode {
        Mode::Embedded => "embedded: each gate in a lane with the stack that the harness provides".to_owned(),
        Mode::External(external) => format!(
            "external: the user's own, state root {}, containerd at {}",
            external.state_root.display(),
            external.address.display()
        ),
    };
    let ended = summary.ended.map_or_else(|| "not when this was written".to_owned(), |ended| ended.to_string());
    let mut settings = vec![
        ("mode", mode),
        ("lanes", summary.lanes.to_string()),
        ("project base", summary.project_base.clone()),
        ("run folder", summary.run_dir.display().to_string()),
        ("started", summary.started.to_string()),
    ];
    settings.extend(summary.resumes().into_iter().map(|resume| ("resumed", resume)));
    settings.push(("ended", ended));
    let tree = summary.k1s_root.iter().flat_map(Identity::facts);
    html! {
        section #environment aria-labelledby="environment-heading" {
            h2 #environment-heading { "Environment" }
            dl.facts {
                @for (name, value) in summary.versions.iter().chain(&summary.environment) {
                    div { dt { (visible(name)) } dd { (visible(value)) } }
                }
                @for (name, value) in &summary.interventions {
                    div { dt { "intervention, " (visible(name)) } dd { (visible(value)) } }
                }
                @for (name, value) in tree { div { dt { "k1s root, " (name) } dd { (visible(&value)) } } }
                @for (name, value) in settings { div { dt { (name) } dd { (visible(&value)) } } }
            }
        }
    }
}
