//! Bridges and veths.

use serde::Deserialize;

use super::command::{plain, unreadable};
use super::{Owner, Thing};
use crate::failure::Failure;

/// A part of what `ip -json` says of a link.
#[derive(Debug, Deserialize)]
struct Link {
    ifname: String,
    master: Option<String>,
    #[serde(default)]
    ifalias: String,
    #[serde(default)]
    altnames: Vec<String>,
    linkinfo: Option<Info>,
}

#[derive(Debug, Deserialize)]
struct Info {
    info_kind: Option<String>,
}

pub(super) fn scan(owner: &Owner) -> Result<Vec<Thing>, Failure> {
    let printed = plain("ip", &["-json", "-details", "link", "show"])?;
    if !printed.success() {
        return Err(unreadable("ip", &printed.stderr));
    }
    let links: Vec<Link> =
        serde_json::from_str(&printed.stdout).map_err(|error| unreadable("ip", &error.to_string()))?;
    Ok(links.into_iter().map(|link| thing(owner, &link)).collect())
}

fn thing(owner: &Owner, link: &Link) -> Thing {
    let kind = link.linkinfo.as_ref().and_then(|info| info.info_kind.as_deref()).unwrap_or("link");
    let tie = if link.ifname == owner.bridge {
        Some(format!("the bridge of {}", owner.namespace))
    } else if link.master.as_ref() == Some(&owner.bridge) {
        Some(format!("on the bridge {}", owner.bridge))
    } else {
        owner.tie(&format!("{} {}", link.ifalias, link.altnames.join(" ")))
    };
    Thing::new(format!("{kind} {}", link.ifname), tie)
}
