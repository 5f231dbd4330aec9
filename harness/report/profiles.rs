//! The parts of each profile while it was alive: routes in front, components, leaders.

use maud::{Markup, html};

use super::excerpt::visible;
use super::run::{GateReport, RunReport};
use crate::plan::{Component, Profile};
use crate::workerbee::reply::{ComponentStatus, ProfileStatus};

pub(super) fn render(run: &RunReport) -> Markup {
    let with_profile: Vec<_> =
        run.gates.iter().filter_map(|gate| Some((gate, gate.summary.key.gate.profile()?))).collect();
    if with_profile.is_empty() {
        return html! {};
    }
    html! {
        section #profiles aria-labelledby="profiles-heading" {
            h2 #profiles-heading { "Profiles" }
            p.note { "As WorkerBee reported them while they were alive." }
            @for (gate, profile) in with_profile { (topology(run, gate, profile)) }
        }
    }
}

fn topology(run: &RunReport, gate: &GateReport, profile: Profile) -> Markup {
    let Some(status) = gate.profile_status(run) else {
        let state = if gate.summary.ended.is_some() { "was never seen alive" } else { "was not seen alive yet" };
        return html! { section.profile { h3 { (gate.name) } p.note { (profile) " " (state) "." } } };
    };
    let (front, back): (Vec<_>, Vec<_>) = status.components.iter().partition(|component| {
        [Component::Apishim.role(), Component::Controller(0).role()].contains(&component.role.as_str())
    });
    html! {
        section.profile {
            h3 { (gate.name) }
            div.tiers {
                (routes(&status))
                (tier("Control plane", profile, &front, &status))
                @if !back.is_empty() { (tier("State and messages", profile, &back, &status)) }
            }
        }
    }
}

fn routes(status: &ProfileStatus) -> Markup {
    html! {
        div.tier {
            h4 { "HTTPS routes" }
            ul.routes {
                // One entry is the profile's name and no URL.
                @for (name, url) in status.profile.ingress_urls.iter().filter(|(_, url)| url.contains("://")) {
                    li { span { (visible(name)) } code { (visible(url)) } }
                }
            }
        }
    }
}

fn tier(title: &str, profile: Profile, components: &[&ComponentStatus], status: &ProfileStatus) -> Markup {
    let leader = status.leader.as_ref().and_then(|leader| leader.controller_id.as_deref()).unwrap_or("-");
    html! {
        div.tier {
            h4 { (title) }
            ul.components {
                @for component in components {
                    @let name = component.name.rsplit_once(profile.name()).map_or(component.name.as_str(), |(_, end)| end.trim_start_matches('-'));
                    li {
                        b { (visible(name)) }
                        @if component.name.ends_with(leader) { span.tag { "leads" } }
                        span.(if component.running { "pass" } else { "fail" }) { (if component.running { "✓ running" } else { "✗ not running" }) }
                        code { (visible(component.url.as_deref().unwrap_or("no address on the host"))) }
                        code.id { (visible(component.container_id.as_deref().unwrap_or("no id").get(..12).unwrap_or("no id"))) }
                    }
                }
            }
        }
    }
}
