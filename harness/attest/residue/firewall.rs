//! Rules and chains of iptables.

use std::path::Path;

use super::command::{as_root, unreadable};
use super::owner::is_hex;
use super::{Owner, Thing};
use crate::failure::Failure;

/// Chains that CNI's plugins make once for all networks and never remove (`portmap`, `firewall`).
const SHARED: [&str; 7] = [
    "CNI-ADMIN",
    "CNI-FORWARD",
    "CNI-ISOLATION-STAGE-1",
    "CNI-ISOLATION-STAGE-2",
    "CNI-HOSTPORT-DNAT",
    "CNI-HOSTPORT-MASQ",
    "CNI-HOSTPORT-SETMARK",
];

pub(super) fn scan(owner: &Owner) -> Result<Vec<Thing>, Failure> {
    let mut things = rules("ipv4", "iptables-save")?;
    // Without IPv6 in the kernel there is nothing to read.
    if Path::new("/proc/net/if_inet6").exists() {
        things.extend(rules("ipv6", "ip6tables-save")?);
    }
    tie(owner, &mut things);
    Ok(things)
}

fn rules(family: &str, program: &str) -> Result<Vec<Thing>, Failure> {
    let printed = as_root(program, &[])?;
    if printed.success() { Ok(parse(family, &printed.stdout)) } else { Err(unreadable(program, &printed.stderr)) }
}

/// Each rule, and each chain but the built-in ones, with its table.
fn parse(family: &str, text: &str) -> Vec<Thing> {
    let mut table = "";
    let mut things = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        } else if let Some((chain, "-")) = line.strip_prefix(':').and_then(|chain| {
            let mut words = chain.split(' ');
            Some((words.next()?, words.next()?))
        }) {
            things.push(Thing::new(format!("{family} {table} chain {chain}"), None));
        } else if line.starts_with("-A ") {
            things.push(Thing::new(format!("{family} {table} {line}"), None));
        }
    }
    things
}

/// A rule is the project's by a name in it, by the address of a container, or by the chain of one.
fn tie(owner: &Owner, things: &mut [Thing]) {
    for thing in &mut *things {
        thing.tie = owner.tie(&thing.what);
    }
    let named: Vec<&str> = things.iter().filter(|thing| thing.tie.is_some()).map(|thing| thing.what.as_str()).collect();
    let words = || named.iter().flat_map(|rule| rule.split(' '));
    let mut ours: Vec<String> = words().filter(|word| is_of_one_container(word)).map(str::to_owned).collect();
    // The plugin writes the address of one container as a whole network of one.
    ours.extend(words().filter(|word| word.ends_with("/32") && !word.starts_with("127.")).map(str::to_owned));
    ours.extend(words().filter(|word| word.ends_with("/128") && !word.starts_with("::1/")).map(str::to_owned));
    for thing in things.iter_mut().filter(|thing| thing.tie.is_none()) {
        let word = thing.what.split(' ').find(|word| ours.iter().any(|own| own == word));
        thing.tie = word.map(|word| format!("{word} is a container's"));
    }
}

/// Is true for a chain that belongs to one container: `CNI-` (masquerade) or `CNI-DN-` (ports) and a hash.
fn is_of_one_container(chain: &str) -> bool {
    let hash = chain.strip_prefix("CNI-DN-").or_else(|| chain.strip_prefix("CNI-"));
    hash.is_some_and(|hash| hash.len() >= 21 && is_hex(hash))
}

/// The ports that rules of the project forward.
pub(super) fn forwarded(things: &[Thing]) -> Vec<(String, u16)> {
    let mut ports = Vec::new();
    for thing in things.iter().filter(|thing| thing.tie.is_some()) {
        let words: Vec<&str> = thing.what.split(' ').collect();
        let after = |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1));
        let (Some(protocol), Some(list)) = (after("-p"), after("--dports").or_else(|| after("--dport"))) else {
            continue;
        };
        ports.extend(list.split(',').filter_map(|port| Some(((*protocol).to_owned(), port.parse().ok()?))));
    }
    ports.sort();
    ports.dedup();
    ports
}

/// Is true for leftovers that CNI's plugins leave by design, whatever `WorkerBee` does.
pub(super) fn stays(thing: &Thing, after: &[Thing]) -> bool {
    let shared = |chain: &str| thing.tie.is_none() && SHARED.contains(&chain);
    let words: Vec<&str> = thing.what.split(' ').collect();
    match words.as_slice() {
        // The `bridge` plugin empties the chain of a container that goes. Without a rule in it or to it, it does nothing.
        [_, "nat", "chain", chain] if is_of_one_container(chain) => {
            !after.iter().any(|rule| rule.what.contains(" -A ") && rule.what.split(' ').any(|word| word == *chain))
        }
        [_, _, "chain", chain] => SHARED.contains(chain),
        // The `firewall` plugin never removes the rules that keep a bridge apart (ingressPolicy: same-bridge).
        [_, "filter", "-A", "CNI-ISOLATION-STAGE-1", "-i", inward, "!", "-o", outward, ..] => inward == outward,
        [_, "filter", "-A", "CNI-ISOLATION-STAGE-2", "-o", _, .., "DROP"] => true,
        // What sends the traffic of all networks there.
        [_, _, "-A", chain, .., "-j", target] => shared(chain) || shared(target),
        [_, _, "-A", chain, ..] => shared(chain),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A real answer, of one container, made shorter.
    const SAVED: &str = r#"# Generated by iptables-save v1.8.9 (nf_tables)
*filter
:FORWARD ACCEPT [0:0]
:CNI-FORWARD - [0:0]
-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
-A CNI-FORWARD -s 10.211.249.4/32 -j ACCEPT
-A CNI-FORWARD -s 10.88.0.4/32 -j ACCEPT
COMMIT
*nat
:CNI-06b1a8cf16cb94417eb1dd0f - [0:0]
:CNI-DN-06b1a8cf16cb94417eb1d - [0:0]
-A POSTROUTING -s 10.211.249.4/32 -m comment --comment "name: \"workerbee-f0d0702dd19f-demo\"" -j CNI-06b1a8cf16cb94417eb1dd0f
-A CNI-06b1a8cf16cb94417eb1dd0f ! -d 224.0.0.0/4 -j MASQUERADE
-A CNI-DN-06b1a8cf16cb94417eb1d -d 127.0.0.1/32 -p tcp -m tcp --dport 18645 -j DNAT --to-destination 10.211.249.4:8445
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"workerbee-f0d0702dd19f-demo\"" -m multiport --dports 18645,18646 -j CNI-DN-06b1a8cf16cb94417eb1d
COMMIT
"#;

    #[test]
    fn a_rule_is_the_projects_by_name_address_or_chain() {
        let owner = Owner::new(Path::new("/x.sock"), Path::new("/run/k1s-gates/gy6cx/state"), "demo");
        let mut things = parse("ipv4", SAVED);
        tie(&owner, &mut things);
        let untied: Vec<&str> =
            things.iter().filter(|thing| thing.tie.is_none()).map(|thing| thing.what.as_str()).collect();
        assert_eq!(
            untied,
            [
                "ipv4 filter chain CNI-FORWARD",
                "ipv4 filter -A FORWARD -m comment --comment \"CNI firewall plugin rules\" -j CNI-FORWARD",
                "ipv4 filter -A CNI-FORWARD -s 10.88.0.4/32 -j ACCEPT",
            ]
        );
        assert_eq!(things.len(), 10);
        assert_eq!(forwarded(&things), [("tcp".to_owned(), 18645), ("tcp".to_owned(), 18646)]);
    }
}
