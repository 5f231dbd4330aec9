//! The parts of an application, read from k1s's manifest or from Kubernetes' objects alike.

use std::path::{Path, PathBuf};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{SecurityContext, Service};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::{Deserialize, Serialize};

use super::Subject;
use crate::failure::{Failure, Mismatch};

/// The applications of `WorkerBee`'s template realtime-web-db, which it deploys to validate a profile.
pub const NAMES: [&str; 3] = ["backend", "db", "frontend"];

/// An application, in the order in which its members are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct App {
    /// Its name.
    pub name: String,
    /// Its namespace: the project.
    pub namespace: Option<String>,
    /// The image of its container.
    pub image: String,
    /// The number of its replicas.
    pub replicas: i32,
    /// The port that its container listens on.
    pub container_port: i32,
    /// The port that its service is published on.
    pub service_port: i32,
    /// The port of the container that its service leads to.
    pub target_port: i32,
    /// The host name of its ingress.
    pub host: Option<String>,
    /// The confinement of its process, as far as each format knows it.
    #[serde(default)]
    pub security: Security,
}

/// The user and the rights of an application's process.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// Its user's number.
    pub user: Option<i64>,
    /// Its group's number.
    pub group: Option<i64>,
    /// True when it may not write to its own file system.
    pub read_only_root: bool,
    /// The capabilities that are taken from it.
    pub dropped: Vec<String>,
}

/// k1s's own manifest, as far as it says what an application is made of.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
    namespace: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Spec {
    image: String,
    replicas: i32,
    ports: Vec<Port>,
    service: Published,
    ingress: Option<Rule>,
    #[serde(default)]
    security: Confined,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Confined {
    run_as_user: Option<i64>,
    run_as_group: Option<i64>,
    read_only_root_filesystem: bool,
    drop_capabilities: Vec<String>,
}

impl From<Confined> for Security {
    fn from(confined: Confined) -> Self {
        Self {
            user: confined.run_as_user,
            group: confined.run_as_group,
            read_only_root: confined.read_only_root_filesystem,
            dropped: confined.drop_capabilities,
        }
    }
}

impl From<&SecurityContext> for Security {
    fn from(context: &SecurityContext) -> Self {
        Self {
            user: context.run_as_user,
            group: context.run_as_group,
            read_only_root: context.read_only_root_filesystem.unwrap_or_default(),
            dropped: context.capabilities.as_ref().and_then(|of| of.drop.clone()).unwrap_or_default(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    container_port: i32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Published {
    port: i32,
    target_port: Option<i32>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    host: String,
}

impl App {
    /// Reads one of k1s's manifests.
    pub fn from_k1s(text: &str) -> Result<Self, String> {
        let manifest: Manifest = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        if (manifest.api_version.as_str(), manifest.kind.as_str()) != ("ae.dev/v1alpha1", "Deployment") {
            return Err(format!("{} {} is no deployment of k1s's", manifest.api_version, manifest.kind));
        }
        let Spec { image, replicas, ports, service, ingress, security } = manifest.spec;
        let [Port { container_port }] = ports.as_slice() else {
            return Err(format!("{} has {} ports", manifest.metadata.name, ports.len()));
        };
        Ok(Self {
            name: manifest.metadata.name,
            namespace: manifest.metadata.namespace,
            image,
            replicas,
            container_port: *container_port,
            service_port: service.port,
            target_port: service.target_port.unwrap_or(*container_port),
            host: ingress.map(|rule| rule.host),
            security: security.into(),
        })
    }

    /// Puts together what Kubernetes keeps apart: a deployment with the service and the ingress of its name.
    pub fn from_k8s(deployment: &Deployment, services: &[Service], ingresses: &[Ingress]) -> Result<Self, String> {
        let name = deployment.metadata.name.clone().unwrap_or_default();
        let lacks = |what: &str| format!("the deployment `{name}` has {what}");
        let spec = deployment.spec.as_ref().ok_or_else(|| lacks("no spec"))?;
        let containers = spec.template.spec.as_ref().map_or(&[][..], |pod| &pod.containers);
        let [container] = containers else { return Err(lacks(&format!("{} containers", containers.len()))) };
        let ports = container.ports.as_deref().unwrap_or_default();
        let [port] = ports else { return Err(lacks(&format!("{} ports", ports.len()))) };
        let service = services.iter().find(|service| service.metadata.name.as_deref() == Some(&name));
        let published = service.and_then(|service| service.spec.as_ref()?.ports.as_deref()).unwrap_or_default();
        let [published] = published else { return Err(lacks(&format!("a service with {} ports", published.len()))) };
        let target_port = match &published.target_port {
            None => published.port,
            Some(IntOrString::Int(port)) => *port,
            Some(IntOrString::String(name)) if port.name.as_ref() == Some(name) => port.container_port,
            Some(IntOrString::String(name)) => return Err(lacks(&format!("a service to the port `{name}`"))),
        };
        let ingress = ingresses.iter().find(|ingress| ingress.metadata.name.as_deref() == Some(&name));
        let rules = ingress.and_then(|ingress| ingress.spec.as_ref()?.rules.as_deref()).unwrap_or_default();
        let rule = match rules {
            [] => None,
            [rule] => Some(rule),
            _ => return Err(lacks(&format!("an ingress with {} rules", rules.len()))),
        };
        let paths = rule.and_then(|rule| Some(rule.http.as_ref()?.paths.as_slice())).unwrap_or_default();
        if let Some(other) = paths.iter().filter_map(|path| path.backend.service.as_ref()).find(|to| to.name != name) {
            return Err(lacks(&format!("an ingress to the service `{}`", other.name)));
        }
        Ok(Self {
            image: container.image.clone().ok_or_else(|| lacks("no image"))?,
            namespace: deployment.metadata.namespace.clone(),
            replicas: spec.replicas.unwrap_or(1),
            container_port: port.container_port,
            service_port: published.port,
            target_port,
            host: rule.and_then(|rule| rule.host.clone()),
            security: container.security_context.as_ref().map(Security::from).unwrap_or_default(),
            name,
        })
    }
}

/// The applications that `WorkerBee` staged and then applied, by its own files.
pub fn deployed(subject: &Subject) -> Result<Vec<App>, Failure> {
    let staged =
        subject.state_root.join("projects").join(&subject.project).join("artifacts/staged/realtime-web-db/manifests");
    let unreadable = |seen: String| {
        Failure::new("the manifests that WorkerBee deployed cannot be read")
            .expected(format!("k1s manifests of {} in {}", NAMES.join(", "), staged.display()))
            .seen(seen)
            .remedy("see what `validate` answered under /prepared and /deploy")
    };
    let mut apps = files(&staged, ".k1s.yaml")
        .map_err(|error| unreadable(error.to_string()))?
        .iter()
        .map(|file| App::from_k1s(&read(file)?).map_err(|error| format!("{}: {error}", file.display())))
        .collect::<Result<Vec<_>, _>>()
        .map_err(&unreadable)?;
    apps.sort();
    Ok(apps)
}

/// These are all the applications of the template: fewer would leave less to be checked.
pub fn complete(apps: &[App]) -> Result<(), Mismatch> {
    let names: Vec<&str> = apps.iter().map(|app| app.name.as_str()).collect();
    if names != NAMES {
        return Err(Mismatch::new(format!("not the apps {}", NAMES.join(", ")), &names));
    }
    // Nothing of an app is no more than no app.
    match apps.iter().find(|app| app.replicas < 1 || app.container_port < 1 || app.service_port < 1) {
        None => Ok(()),
        Some(app) => Err(Mismatch::new(format!("{} is deployed to run nowhere", app.name), app)),
    }
}

/// The application of that name.
pub fn named<'a>(apps: &'a [App], name: &str) -> Result<&'a App, Failure> {
    apps.iter().find(|app| app.name == name).ok_or_else(|| {
        Failure::new(format!("WorkerBee deployed no app `{name}`"))
            .expected(NAMES.join(", "))
            .seen(apps.iter().map(|app| app.name.as_str()).collect::<Vec<_>>().join(", "))
            .remedy("see what `validate` answered under /prepared and /deploy")
    })
}

/// The files of a folder whose names end in `end`, in order.
pub(super) fn files(folder: &Path, end: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(end) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A file's text, or why there is none, with its name.
pub(super) fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use rstest::rstest;

    use super::*;

    const MANIFEST: &str = "\
apiVersion: ae.dev/v1alpha1
kind: Deployment
metadata:
  name: backend
  namespace: demo
spec:
  image: workerbee-demo-realtime-backend:dev
  replicas: 1
  ports:
    - name: http
      containerPort: 8080
  service:
    port: 22924
    targetPort: 8080
  health:
    readiness:
      httpGet: { path: /healthz, port: 8080 }
  ingress:
    host: api.demo.workerbee.localhost
    path: /
  security:
    runAsUser: 1000
    runAsGroup: 1000
    readOnlyRootFilesystem: true
    dropCapabilities:
      - ALL
";

    fn backend() -> App {
        App {
            name: "backend".into(),
            namespace: Some("demo".into()),
            image: "workerbee-demo-realtime-backend:dev".into(),
            replicas: 1,
            container_port: 8080,
            service_port: 22924,
            target_port: 8080,
            host: Some("api.demo.workerbee.localhost".into()),
            security: Security {
                user: Some(1000),
                group: Some(1000),
                read_only_root: true,
                dropped: vec!["ALL".to_owned()],
            },
        }
    }

    #[test]
    fn a_manifest_of_k1s_is_read() {
        assert_eq!(App::from_k1s(MANIFEST).unwrap(), backend());
    }

    #[rstest]
    #[case::another_kind("kind: Deployment", "kind: Service")]
    #[case::of_kubernetes("ae.dev/v1alpha1", "apps/v1")]
    #[case::no_image("  image: workerbee-demo-realtime-backend:dev\n", "")]
    #[case::image_of_no_name("image: workerbee-demo-realtime-backend:dev", "image: [1, 2]")]
    #[case::replicas_in_words("replicas: 1", "replicas: one")]
    #[case::no_port("    - name: http\n      containerPort: 8080\n", "    []\n")]
    #[case::no_yaml("spec:", "spec: }")]
    fn what_is_no_manifest_is_none(#[case] from: &str, #[case] to: &str) {
        assert!(MANIFEST.contains(from));
        assert!(App::from_k1s(&MANIFEST.replace(from, to)).is_err());
    }

    fn kubernetes() -> (Deployment, Service, Ingress) {
        let deployment = serde_json::json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "backend", "namespace": "demo" },
            "spec": { "replicas": 1, "selector": {}, "template": { "spec": { "containers": [
                {
                    "name": "backend",
                    "image": "workerbee-demo-realtime-backend:dev",
                    "ports": [{ "containerPort": 8080 }],
                    "securityContext": {
                        "runAsUser": 1000, "runAsGroup": 1000, "readOnlyRootFilesystem": true,
                        "capabilities": { "drop": ["ALL"] },
                    },
                },
            ]}}},
        });
        let service = serde_json::json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "backend" },
            "spec": { "ports": [{ "port": 22924, "targetPort": 8080 }] },
        });
        let ingress = serde_json::json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": "backend" },
            "spec": { "rules": [{ "host": "api.demo.workerbee.localhost" }] },
        });
        (
            serde_json::from_value(deployment).unwrap(),
            serde_json::from_value(service).unwrap(),
            serde_json::from_value(ingress).unwrap(),
        )
    }

    #[test]
    fn the_objects_of_kubernetes_say_the_same() {
        let (deployment, service, ingress) = kubernetes();
        assert_eq!(App::from_k8s(&deployment, &[service], &[ingress]).unwrap(), backend());
    }

    #[test]
    fn an_app_without_its_service_is_none_and_without_ingress_has_no_host() {
        let (deployment, mut service, ingress) = kubernetes();
        assert_eq!(App::from_k8s(&deployment, &[service.clone()], &[]).unwrap().host, None);
        service.metadata.name = Some("another".into());
        assert!(App::from_k8s(&deployment, &[service], &[ingress]).is_err());
    }

    #[rstest]
    #[case::another_target("8080", "9999", true)]
    #[case::target_by_a_name_of_no_port("8080", "\"web\"", false)]
    #[case::a_second_port("\"ports\":[", "\"ports\":[{\"port\":1},", false)]
    fn a_service_that_leads_elsewhere_is_another_app(#[case] from: &str, #[case] to: &str, #[case] read: bool) {
        let (deployment, service, ingress) = kubernetes();
        let text = serde_json::to_string(&service).unwrap();
        assert!(text.contains(from));
        let service = serde_json::from_str(&text.replacen(from, to, 1)).unwrap();
        let app = App::from_k8s(&deployment, &[service], &[ingress]);
        assert_eq!(app.is_ok(), read, "{app:?}");
        assert!(app != Ok(backend()));
    }

    #[rstest]
    #[case::a_second_rule(serde_json::json!([{ "host": "api.demo.workerbee.localhost" }, { "host": "another" }]))]
    #[case::another_service(serde_json::json!([{ "host": "api.demo.workerbee.localhost", "http": { "paths": [
        { "path": "/", "pathType": "Prefix", "backend": { "service": { "name": "another", "port": { "number": 1 } } } },
    ]}}]))]
    fn an_ingress_that_leads_elsewhere_is_refused(#[case] rules: serde_json::Value) {
        let (deployment, service, mut ingress) = kubernetes();
        ingress.spec.as_mut().unwrap().rules = serde_json::from_value(rules).unwrap();
        assert!(App::from_k8s(&deployment, &[service], &[ingress]).is_err());
    }
}
