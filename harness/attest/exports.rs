//! The exports of `WorkerBee`: on disk, of the right types, and of the same workload as the one that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Subject;
use super::app::{self, App, read};
use super::containerd::Containerd;
use super::images::{app_of, applications};
use super::probe::{After, Moment, Observe, Probe, Rule};
use super::resources::Seen;
use crate::failure::{Failure, Kind, Mismatch};
use crate::plan::Gate;

/// The formats that the runbook asks for.
pub const FORMATS: [&str; 3] = ["helm", "k1s", "k8s"];

/// How long `helm lint` may take.
const LINT: Duration = Duration::from_secs(30);

/// The observation of the exports.
#[derive(Debug, Serialize, Deserialize)]
pub struct Exports {
    /// The applications that `WorkerBee` deployed.
    pub deployed: Vec<App>,
    /// The image that each application runs from, by containerd.
    pub running: BTreeMap<String, String>,
    /// By format: the applications that the exported files make, or why they make none.
    pub formats: BTreeMap<String, Seen<Export>>,
    /// `Chart.yaml` of the helm export.
    pub chart: Seen<Chart>,
    /// `values.yaml` of the helm export.
    pub values: Seen<Values>,
    /// `helm lint`; none where there is no helm.
    pub lint: Option<Lint>,
}

/// One format.
#[derive(Debug, Serialize, Deserialize)]
pub struct Export {
    /// The number of files that the answer names; all of them are there.
    pub files: usize,
    /// The applications that its files describe.
    pub apps: Vec<App>,
    /// The images that its `images.json` lists.
    pub images: Vec<String>,
}

/// `images.json` of an export.
#[derive(Debug, Deserialize)]
struct ImageList {
    images: Vec<String>,
}

/// A chart's head: <https://helm.sh/docs/topics/charts/#the-chartyaml-file>.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chart {
    /// `v2` since Helm 3.
    pub api_version: String,
    /// The chart's name.
    pub name: String,
    /// The chart's version, a semantic one.
    pub version: String,
}

/// A chart's values, as far as `WorkerBee` writes them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Values {
    /// The namespace.
    pub namespace: String,
    /// By application.
    pub images: BTreeMap<String, String>,
    /// By application.
    pub replicas: BTreeMap<String, i32>,
}

/// The result of `helm lint`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Lint {
    /// Its exit status.
    pub exit: Option<i32>,
    /// Its output.
    pub said: String,
}

/// The exported manifests.
pub static PROBE: Probe<Exports> = Probe {
    name: "exports",
    of: Gate::deploys_apps,
    moment: Moment::Look,
    after: After::These(&["routes"]),
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::exports",
        "k1s, Kubernetes and Helm exports of valid objects, with the images, ports and hosts of what runs",
        "read the exported files, which /exports in the answer names",
        |seen, _| judge(seen),
    )],
    triage: &[],
};

/// Reads what the answer says was exported.
pub async fn observe(subject: &Subject) -> Result<Exports, Failure> {
    let containerd = Containerd::connect(&subject.address).await?;
    let running = applications(&containerd, &subject.namespace()).await?;
    let helm = folder(subject, "helm");
    let lint = match (&helm, which::which("helm")) {
        (Ok(folder), Ok(helm)) => Some(lint(&helm, folder).await),
        _ => None,
    };
    Ok(Exports {
        deployed: app::deployed(subject)?,
        running: running.iter().map(|container| (app_of(container), container.image.clone())).collect(),
        formats: FORMATS.map(|format| (format.to_owned(), export(subject, format))).into(),
        chart: helm.as_ref().map_err(Clone::clone).and_then(|folder| yaml(&folder.join("Chart.yaml"))),
        values: helm.as_ref().map_err(Clone::clone).and_then(|folder| yaml(&folder.join("values.yaml"))),
        lint,
    })
}

/// How it begins that there is no export for want of an answer of `WorkerBee`'s.
const NO_FOLDER: &str = "the answer names no folder";

fn folder(subject: &Subject, format: &str) -> Seen<PathBuf> {
    let folder = subject.answer.pointer(&format!("/exports/{format}/output_dir")).and_then(Value::as_str);
    let folder = PathBuf::from(folder.ok_or_else(|| format!("{NO_FOLDER} of the {format} export"))?);
    let own = subject.state_root.join("projects").join(&subject.project);
    if folder.starts_with(&own) { Ok(folder) } else { Err(format!("{} is not of this project", folder.display())) }
}

fn export(subject: &Subject, format: &str) -> Seen<Export> {
    let folder = folder(subject, format)?;
    let named = subject.answer.pointer(&format!("/exports/{format}/files")).and_then(Value::as_array);
    let named: Vec<PathBuf> = named.into_iter().flatten().filter_map(Value::as_str).map(PathBuf::from).collect();
    for file in &named {
        if read(file)?.trim().is_empty() {
            return Err(format!("{} is empty", file.display()));
        }
    }
    let (below, end) = match format {
        "k1s" => ("manifests", ".k1s.yaml"),
        "k8s" => ("", ".k8s.yaml"),
        _ => ("templates", ".yaml"),
    };
    let files = app::files(&folder.join(below), end).map_err(|error| format!("{}: {error}", folder.display()))?;
    if let Some(unnamed) = files.iter().find(|file| !named.contains(file)) {
        return Err(format!("the answer does not name {}", unnamed.display()));
    }
    let texts = files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
    let mut apps = match format {
        "k1s" => texts.iter().map(|text| App::from_k1s(text)).collect::<Result<Vec<_>, _>>()?,
        _ => objects(&texts)?,
    };
    apps.sort();
    let images: ImageList =
        serde_json::from_str(&read(&folder.join("images.json"))?).map_err(|error| error.to_string())?;
    Ok(Export { files: named.len(), apps, images: images.images })
}

/// The applications of Kubernetes' objects. `WorkerBee`'s charts are plain objects too: nothing in them is to be
/// rendered, and a chart that is would be no YAML before.
fn objects(texts: &[String]) -> Seen<Vec<App>> {
    fn typed<T: serde::de::DeserializeOwned>(object: Value) -> Seen<T> {
        serde_json::from_value(object).map_err(|error| error.to_string())
    }
    let (mut deployments, mut services, mut ingresses) = (Vec::new(), Vec::new(), Vec::new());
    for text in texts {
        let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
        for object in documents {
            match object["kind"].as_str().unwrap_or_default() {
                "Deployment" => deployments.push(typed::<Deployment>(object)?),
                "Service" => services.push(typed::<Service>(object)?),
                "Ingress" => ingresses.push(typed::<Ingress>(object)?),
                "PersistentVolumeClaim" => drop(typed::<PersistentVolumeClaim>(object)?),
                other => return Err(format!("an unexpected kind of object: {other:?}")),
            }
        }
    }
    let apps: Vec<&ObjectMeta> = deployments.iter().map(|deployment| &deployment.metadata).collect();
    let others = services.iter().map(|service| &service.metadata).chain(ingresses.iter().map(|one| &one.metadata));
    if let Some(other) = others.into_iter().find(|other| !apps.iter().any(|app| app.name == other.name)) {
        return Err(format!("{:?} is the service or ingress of no deployment", other.name));
    }
    deployments.iter().map(|deployment| App::from_k8s(deployment, &services, &ingresses)).collect()
}

fn yaml<T: serde::de::DeserializeOwned>(file: &Path) -> Seen<T> {
    serde_saphyr::from_str(&read(file)?).map_err(|error| format!("{}: {error}", file.display()))
}

async fn lint(helm: &Path, folder: &Path) -> Lint {
    let mut command = tokio::process::Command::new(helm);
    command.arg("lint").arg(folder).kill_on_drop(true);
    match tokio::time::timeout(LINT, command.output()).await {
        Ok(Ok(output)) => {
            let said = [output.stdout, output.stderr].concat();
            Lint { exit: output.status.code(), said: String::from_utf8_lossy(&said).into_owned() }
        }
        Ok(Err(error)) => Lint { exit: None, said: error.to_string() },
        Err(_) => Lint { exit: None, said: format!("not over within {} s", LINT.as_secs()) },
    }
}

/// Each format says the same of the applications as what was deployed and what runs.
pub fn judge(seen: &Exports) -> Result<(), Mismatch> {
    app::complete(&seen.deployed)?;
    for app in &seen.deployed {
        let image = seen.running.get(&app.name).map(|image| image.trim_start_matches("localhost/"));
        if image != Some(app.image.as_str()) {
            return Err(Mismatch::new(format!("{} does not run from {}", app.name, app.image), &seen.running));
        }
    }
    let images: BTreeSet<&str> = seen.deployed.iter().map(|app| app.image.as_str()).collect();
    for format in FORMATS {
        let export = match seen.formats.get(format) {
            Some(Ok(export)) => export,
            Some(Err(error)) => {
                let kind = if error.starts_with(NO_FOLDER) { Kind::WorkerBee } else { Kind::Finding };
                return Err(Mismatch::new(format!("the {format} export cannot be read"), error).of(kind));
            }
            None => return Err(Mismatch::new(format!("no {format} export"), &seen.formats.keys().collect::<Vec<_>>())),
        };
        if export.apps != seen.deployed {
            let other: Vec<&App> = export.apps.iter().filter(|app| !seen.deployed.contains(app)).collect();
            return Err(Mismatch::new(format!("the {format} export describes a workload that does not run"), &other));
        }
        if export.images.iter().map(String::as_str).collect::<BTreeSet<_>>() != images {
            let what = format!("images.json of the {format} export names other images than those that run");
            return Err(Mismatch::new(what, &export.images));
        }
        if export.files < seen.deployed.len() {
            return Err(Mismatch::new(format!("the answer names too few files of the {format} export"), &export.files));
        }
    }
    helm(seen)
}

fn helm(seen: &Exports) -> Result<(), Mismatch> {
    let chart = seen.chart.as_ref().map_err(|error| Mismatch::new("Chart.yaml cannot be read", error))?;
    let semantic = chart.version.split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3;
    if chart.api_version != "v2" || chart.name.is_empty() || !semantic {
        return Err(Mismatch::new("Chart.yaml is of no chart that helm installs", chart));
    }
    let values = seen.values.as_ref().map_err(|error| Mismatch::new("values.yaml cannot be read", error))?;
    for app in &seen.deployed {
        let same = (values.images.get(&app.name), values.replicas.get(&app.name), Some(&values.namespace))
            == (Some(&app.image), Some(&app.replicas), app.namespace.as_ref());
        if !same {
            return Err(Mismatch::new(format!("values.yaml has {} otherwise than it runs", app.name), values));
        }
    }
    match &seen.lint {
        Some(lint) if lint.exit != Some(0) => Err(Mismatch::new("helm lint finds fault with the chart", lint)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: db
  namespace: demo
spec:
  replicas: 1
  selector: {}
  template:
    spec:
      containers:
      - name: db
        image: db:dev
        ports:
        - containerPort: 8080
---
apiVersion: v1
kind: Service
metadata:
  name: db
spec:
  ports:
  - port: 22923
    targetPort: 8080
";

    #[test]
    fn documents_of_one_file_and_of_two_are_the_same() {
        let (deployment, service) = DEPLOYMENT.split_once("---\n").unwrap_or_default();
        let one = objects(&[DEPLOYMENT.to_owned()]);
        assert_eq!(one.as_ref().map(Vec::len), Ok(1));
        assert_eq!(one, objects(&[service.to_owned(), deployment.to_owned()]));
    }

    #[rstest]
    #[case::no_service("kind: Service", "kind: Job")]
    #[case::service_of_another("metadata:\n  name: db\nspec:\n  ports", "metadata:\n  name: web\nspec:\n  ports")]
    #[case::of_another_group("apps/v1", "extensions/v1beta1")]
    #[case::replicas_in_words("replicas: 1", "replicas: one")]
    #[case::port_in_words("port: 22923", "port: http")]
    #[case::no_image("        image: db:dev\n", "")]
    #[case::a_template("name: db\n  namespace", "{{ .Values.name }}\n  namespace")]
    #[case::no_yaml("spec:\n  ports", "spec: ]\n  ports")]
    fn what_is_no_object_is_none(#[case] from: &str, #[case] to: &str) {
        assert!(DEPLOYMENT.contains(from));
        assert!(objects(&[DEPLOYMENT.replacen(from, to, 1)]).is_err());
    }
}
