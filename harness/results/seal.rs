//! The seal over a run's folder: its manifest, and the statement over that.

use std::path::Path;

use super::manifest::{Manifest, Standing, digest_of};
use super::memory::Memory;
use super::statement::Statement;
use crate::evidence::{MANIFEST, STATEMENT, Store, StoreError};
use crate::signing::Signer;

/// Writes the manifest, and the statement over it and all that it lists. `memory` is what earlier seals of the run have
/// read.
pub fn seal(
    store: &Store,
    standing: &Standing,
    signer: Option<&Signer>,
    memory: &mut Memory,
) -> Result<(), StoreError> {
    if standing.over {
        memory.forget();
    }
    let (manifest, gates) = Manifest::of(store.root(), standing, memory);
    let (listed, over_it) = (Path::new(MANIFEST), Path::new(STATEMENT));
    let bytes = store.plain_json(listed, &manifest)?;
    let statement = Statement::over(&manifest, &digest_of(&bytes), &gates);
    let envelope = store.plain_json(over_it, &statement.enveloped(signer))?;
    store.put_together(&[(listed, &bytes), (over_it, &envelope)])
}
