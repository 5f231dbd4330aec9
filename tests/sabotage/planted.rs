//! The faults of `tests/faults`, as far as they were seen to turn checks red: they break k1s on the real stack as well.

use std::collections::BTreeMap;
use std::path::Path;

use k1s_profile_gates::plan::Gate;
use serde::Deserialize;

use crate::support::outcome::MAY;

/// A fault that turned checks red.
pub(crate) struct Planted {
    pub(crate) name: String,
    pub(crate) gate: Gate,
    red: Vec<String>,
}

#[derive(Deserialize)]
struct Row {
    gate: String,
    #[serde(default)]
    red: BTreeMap<String, String>,
    #[serde(default)]
    to_be_run: bool,
}

impl Planted {
    pub(crate) fn turns_red(&self, check: &str) -> bool {
        self.red.iter().any(|red| red == check)
    }
}

pub(crate) fn all() -> Result<Vec<Planted>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/rows");
    let entries = walkdir::WalkDir::new(&folder).sort_by_file_name().into_iter();
    let files = entries.filter(|entry| entry.as_ref().map_or(true, |entry| entry.file_type().is_file()));
    let rows = files.map(|entry| {
        let file = entry.map_err(|error| error.to_string())?.into_path();
        read(&folder, &file).map_err(|error| format!("{}: {error}", file.display()))
    });
    rows.filter_map(Result::transpose).collect()
}

fn read(folder: &Path, file: &Path) -> Result<Option<Planted>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let row: Row = toml::from_str(&text).map_err(|error| error.to_string())?;
    let gate = Gate::ALL.into_iter().find(|gate| gate.to_string() == row.gate);
    let gate = gate.ok_or_else(|| format!("no gate `{}`", row.gate))?;
    let name = file.strip_prefix(folder).unwrap_or(file).with_extension("");
    // What may turn red, and need not, was not seen each time.
    let red: Vec<String> = row.red.into_keys().filter(|check| !check.starts_with(MAY)).collect();
    let was_seen = !row.to_be_run && !red.is_empty();
    Ok(was_seen.then(|| Planted { name: format!("faults/{}", name.display()), gate, red }))
}
