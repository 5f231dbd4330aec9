//! The images that the workload's containers were started from, compared with those that this gate built.

use std::sync::LazyLock;

use containerd_client::services::v1::containers_client::ContainersClient;
use containerd_client::services::v1::content_client::ContentClient;
use containerd_client::services::v1::images_client::ImagesClient;
use containerd_client::services::v1::snapshots::StatSnapshotRequest;
use containerd_client::services::v1::snapshots::snapshots_client::SnapshotsClient;
use containerd_client::services::v1::{Container, GetImageRequest, ListContainersRequest, ReadContentRequest};
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Subject;
use super::app::{self, App};
use super::containerd::{Containerd, in_namespace};
use super::probe::{After, Moment, Observe, Probe, Rule};
use crate::failure::{Failure, Kind, Mismatch};
use crate::plan::Gate;

/// The label by which k1s marks the containers of an application; its value is project and name.
pub(super) const APP: &str = "ae.app";

static DIGEST: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("sha256:[0-9a-f]{64}").ok());

/// The observation of the images.
#[derive(Debug, Serialize, Deserialize)]
pub struct Images {
    /// The applications that `WorkerBee` deployed.
    pub deployed: Vec<App>,
    /// The images that this gate built.
    pub builds: Vec<Built>,
    /// The containers that run.
    pub containers: Vec<Running>,
}

/// One of `/builds` of the answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Built {
    /// The image's name.
    pub tag: String,
    /// The digests that the build printed: of layers, of the configuration, and of the manifest.
    pub digests: Vec<String>,
}

/// A container of an application.
#[derive(Debug, Serialize, Deserialize)]
pub struct Running {
    /// containerd's id.
    pub id: String,
    /// The application.
    pub app: String,
    /// The name of its image.
    pub image: String,
    /// The digest that the name stands for now.
    pub manifest: String,
    /// The digest of that image's configuration.
    pub configuration: String,
    /// The chain id of that image's layers: the snapshot that a container of it stands on.
    pub layers: String,
    /// The snapshot that the container does stand on.
    pub stands_on: String,
}

/// The images of the app's containers.
pub static PROBE: Probe<Images> = Probe {
    name: "images",
    of: Gate::deploys_apps,
    moment: Moment::Look,
    after: After::These(&["routes"]),
    observe: Observe::Ask(|scene| Box::pin(observe(&scene.subject))),
    checks: &[Rule::new(
        "attest::images",
        "each app's container runs from the image that this gate built for it",
        "compare `nerdctl image inspect` and `nerdctl container inspect` with /builds in the answer",
        |seen, _| judge(seen),
    )],
    triage: &[],
};

/// Asks containerd what the project's applications run from.
pub async fn observe(subject: &Subject) -> Result<Images, Failure> {
    let containerd = Containerd::connect(&subject.address).await?;
    let namespace = subject.namespace();
    let mut seen = Vec::new();
    for container in applications(&containerd, &namespace).await? {
        seen.push(running(&containerd, &namespace, container).await?);
    }
    Ok(Images { deployed: app::deployed(subject)?, builds: builds(&subject.answer), containers: seen })
}

/// The containers of the project's applications.
pub(super) async fn applications(containerd: &Containerd, namespace: &str) -> Result<Vec<Container>, Failure> {
    let mut client = ContainersClient::new(containerd.channel());
    let request = in_namespace(ListContainersRequest::default(), namespace)?;
    let listed = client.list(request).await.map_err(|status| containerd.refused(&status))?;
    Ok(listed.into_inner().containers.into_iter().filter(|container| container.labels.contains_key(APP)).collect())
}

/// The name of an application's container.
pub(super) fn app_of(container: &Container) -> String {
    let label = container.labels.get(APP).map(String::as_str).unwrap_or_default();
    label.rsplit_once("--").map_or(label, |(_, name)| name).to_owned()
}

/// The digests of the manifest and of the configuration that an image's name stands for now.
pub(super) async fn identity(
    containerd: &Containerd,
    namespace: &str,
    name: &str,
) -> Result<(String, String), Failure> {
    let mut images = ImagesClient::new(containerd.channel());
    let request = in_namespace(GetImageRequest { name: name.to_owned() }, namespace)?;
    let image = images.get(request).await.map_err(|status| containerd.refused(&status))?.into_inner().image;
    let mut manifest = image.and_then(|image| image.target).map(|target| target.digest).unwrap_or_default();
    let mut content = blob(containerd, namespace, &manifest).await?;
    // What comes from a registry may be a list, one for each kind of machine, of which one is here.
    for one in content["manifests"].as_array().cloned().unwrap_or_default() {
        let digest = one["digest"].as_str().unwrap_or_default();
        if let Ok(found) = blob(containerd, namespace, digest).await {
            (manifest, content) = (digest.to_owned(), found);
            break;
        }
    }
    let configuration = content.pointer("/config/digest").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok((manifest, configuration))
}

async fn running(containerd: &Containerd, namespace: &str, container: Container) -> Result<Running, Failure> {
    let (manifest, configuration) = identity(containerd, namespace, &container.image).await?;
    let layers = chain(&blob(containerd, namespace, &configuration).await?);
    let mut snapshots = SnapshotsClient::new(containerd.channel());
    let request =
        StatSnapshotRequest { snapshotter: container.snapshotter.clone(), key: container.snapshot_key.clone() };
    let snapshot =
        snapshots.stat(in_namespace(request, namespace)?).await.map_err(|status| containerd.refused(&status))?;
    Ok(Running {
        app: app_of(&container),
        id: container.id,
        image: container.image,
        manifest,
        configuration,
        layers,
        stands_on: snapshot.into_inner().info.map(|info| info.parent).unwrap_or_default(),
    })
}

/// A JSON document of containerd's content store.
async fn blob(containerd: &Containerd, namespace: &str, digest: &str) -> Result<Value, Failure> {
    let mut content = ContentClient::new(containerd.channel());
    let request = ReadContentRequest { digest: digest.to_owned(), offset: 0, size: 0 };
    let mut stream = content
        .read(in_namespace(request, namespace)?)
        .await
        .map_err(|status| containerd.refused(&status))?
        .into_inner();
    let mut bytes = Vec::new();
    while let Some(piece) = stream.message().await.map_err(|status| containerd.refused(&status))? {
        bytes.extend(piece.data);
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::new(format!("containerd's {digest} is no JSON"))
            .expected("an image's manifest or configuration")
            .seen(error.to_string())
            .remedy("see `nerdctl image inspect` of the workload's images")
    })
}

/// OCI's chain id of the layers that a configuration names.
fn chain(configuration: &Value) -> String {
    let layers = configuration.pointer("/rootfs/diff_ids").and_then(Value::as_array).cloned().unwrap_or_default();
    layers.iter().filter_map(Value::as_str).fold(String::new(), |below, layer| {
        if below.is_empty() {
            return layer.to_owned();
        }
        let sum = Sha256::digest(format!("{below} {layer}"));
        format!("sha256:{}", base16ct::lower::encode_string(&sum))
    })
}

fn builds(answer: &Value) -> Vec<Built> {
    let builds = answer["builds"].as_array().cloned().unwrap_or_default();
    let text = |build: &Value, name: &str| build[name].as_str().unwrap_or_default().to_owned();
    builds
        .iter()
        .map(|build| Built {
            tag: text(build, "tag"),
            digests: DIGEST
                .iter()
                .flat_map(|pattern| pattern.find_iter(build["stdout"].as_str().unwrap_or_default()))
                .map(|found| found.as_str().to_owned())
                .collect(),
        })
        .collect()
}

/// Each application runs from the image that this gate built for it, and on that image's layers.
pub fn judge(seen: &Images) -> Result<(), Mismatch> {
    app::complete(&seen.deployed)?;
    for app in &seen.deployed {
        let Some(built) = seen.builds.iter().find(|built| built.tag == app.image) else {
            let what = format!("this gate built no {}", app.image);
            return Err(Mismatch::new(what, &seen.builds).of(Kind::WorkerBee));
        };
        let of_app: Vec<&Running> = seen.containers.iter().filter(|container| container.app == app.name).collect();
        if i32::try_from(of_app.len()) != Ok(app.replicas) {
            return Err(Mismatch::new(
                format!("{} containers of {} instead of {}", of_app.len(), app.name, app.replicas),
                &of_app,
            ));
        }
        for container in of_app {
            // Images that are built here have no registry: nerdctl files them under `localhost/`.
            if container.image != app.image && container.image != format!("localhost/{}", app.image) {
                return Err(Mismatch::new(format!("{} does not run from {}", app.name, app.image), container));
            }
            if !built.digests.contains(&container.manifest) && !built.digests.contains(&container.configuration) {
                let what = format!("{} does not run from the {} that this gate built", app.name, app.image);
                return Err(Mismatch::new(what, container));
            }
            if container.layers.is_empty() || container.layers != container.stands_on {
                return Err(Mismatch::new(
                    format!("{} stands on other layers than its image has", app.name),
                    container,
                ));
            }
        }
    }
    match seen.containers.iter().find(|container| !seen.deployed.iter().any(|app| app.name == container.app)) {
        Some(other) => Err(Mismatch::new(format!("a container of {}, which nobody deployed", other.app), other)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LAYER: &str = "sha256:e5d1457c96c1e468d847608496599be004fcc0cebf089216464f20b41e0f90e2";

    #[test]
    fn the_chain_of_one_layer_is_that_layer_and_of_none_nothing() {
        assert_eq!(chain(&json!({ "rootfs": { "diff_ids": [LAYER] } })), LAYER);
        assert_eq!(chain(&json!({ "rootfs": { "diff_ids": [] } })), "");
        assert_eq!(chain(&json!({})), "");
    }

    #[test]
    fn a_chain_depends_on_each_layer_and_their_order() {
        let other = LAYER.replace('e', "f");
        let of = |layers: &[&str]| chain(&json!({ "rootfs": { "diff_ids": layers } }));
        assert_ne!(of(&[LAYER, &other]), of(&[&other, LAYER]));
        assert_ne!(of(&[LAYER, &other]), LAYER);
        assert_eq!(of(&[LAYER, &other]).len(), LAYER.len());
    }

    #[test]
    fn a_build_has_every_digest_that_it_printed() {
        let said = format!("Copying config {LAYER}\nunpacking localhost/a:dev ({LAYER})...\nsha256:short");
        let built = builds(&json!({ "builds": [{ "tag": "a:dev", "stdout": said }, {}] }));
        assert_eq!(
            (built[0].tag.as_str(), built[0].digests.as_slice()),
            ("a:dev", &[LAYER.to_owned(), LAYER.to_owned()][..])
        );
        assert!(built[1].digests.is_empty());
    }
}
