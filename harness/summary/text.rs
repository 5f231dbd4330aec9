//! The summary as it is written down: for programs, and in words.

use std::fmt::Write as _;
use std::path::Path;

use super::{Outcome, Summary, runbook};
use crate::evidence::{Store, StoreError, kept_project_hint, layout};

impl Summary {
    /// Written anew after every gate, so that a run that is killed has one too.
    pub(crate) fn write(&self, store: &Store) -> Result<(), StoreError> {
        store.write_json(Path::new(layout::SUMMARY), self)?;
        let (file, root) = (Path::new(layout::SUMMARY_TEXT), store.root());
        let written = match store.redactor().value(self) {
            Some(clean) => store.write_clean(file, clean.text(root).as_bytes()),
            None => store.write(file, self.text(root).as_bytes()),
        };
        written.map(drop)
    }

    /// The causes of what is red, two lines each; the runbook's lines; then the harness's own.
    fn text(&self, run_dir: &Path) -> String {
        let mut text = String::new();
        for (name, gate) in self.in_order().into_iter().filter(|(_, gate)| gate.ended.is_some()) {
            let read = &gate.diagnosis.read;
            for cause in &gate.diagnosis.causes {
                let _ = writeln!(text, "{name}: {}\n  {}", cause.headline(), cause.second_line(read));
            }
        }
        for (_, gate) in self.in_order().into_iter().filter(|(_, gate)| gate.ended.is_some()) {
            for line in runbook::lines(run_dir, gate) {
                let _ = writeln!(text, "{line}");
            }
        }
        let (run_dir, base, started) = (self.run_dir.display(), &self.project_base, self.started);
        let _ = writeln!(text, "run_dir={run_dir}\nproject_base={base}\nstarted={started}");
        if let Some(tree) = &self.k1s_root {
            let _ = writeln!(text, "k1s_root={tree}");
        }
        for resume in self.resumes() {
            let _ = writeln!(text, "resumed={resume}");
        }
        for (name, version) in &self.versions {
            let _ = writeln!(text, "{name}={version}");
        }
        for (name, done) in &self.interventions {
            let _ = writeln!(text, "intervention={name}: {done}");
        }
        for (name, gate) in self.in_order() {
            if gate.ended.is_none() {
                let state = if gate.began.is_some() { "running" } else { "waiting" };
                let _ = writeln!(text, "{name} project={} {state}", gate.project);
                continue;
            }
            let (passed, ok) = (gate.count(&Outcome::Passed), gate.passed());
            let _ = writeln!(
                text,
                "{name} project={} ok={ok} checks={passed}/{} seconds={:.1}{}",
                gate.project,
                passed + gate.failures().count(),
                gate.seconds,
                if self.is_kept(gate) { format!(" kept=part-{}", gate.part) } else { String::new() }
            );
            for line in gate.diagnosis.to_string().lines() {
                let _ = writeln!(text, "  {line}");
            }
            if let Some(again) = &gate.again {
                let _ = writeln!(text, "  run anew: {again}");
            }
            if let Some(flaky) = &gate.flaky {
                let _ = writeln!(text, "  flaky: {flaky}");
            }
            let follows = |check: &str| {
                gate.diagnosis.causes.iter().any(|cause| cause.checks.iter().skip(1).any(|one| one == check))
            };
            // What follows from a cause is listed under it.
            for (check, failure) in gate.failures().filter(|(check, _)| !follows(check)) {
                let (what, seen) = (first_line(&failure.what), first_line(&failure.seen));
                let _ = writeln!(text, "  failed {check}: {what}; seen: {seen}");
            }
            if gate.project_kept {
                let _ = writeln!(text, "  project kept: {}", kept_project_hint(&gate.project));
            }
            if let Some(failure) = &gate.failure {
                let _ = writeln!(text, "  failed: {}", first_line(&failure.what));
            }
        }
        text
    }
}

pub(super) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
