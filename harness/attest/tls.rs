//! HTTPS as the profile's ingress speaks it: one connection per question, to this machine, its certificate verified
//! against one CA and no other.
//!
//! Names under `workerbee.localhost` are this machine, whatever a resolver says: in lanes it says nothing.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::failure::Failure;

/// How long one question may take, with its handshake.
const QUESTION: Duration = Duration::from_secs(10);

/// The one CA that a connection trusts.
#[derive(Clone)]
pub struct Trust(TlsConnector);

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// `https://…`
    pub url: &'a str,
    /// A bearer token; it is sent and nothing else.
    pub token: Option<&'a str>,
    /// The body of a POST; without it the question is a GET.
    pub body: Option<&'a str>,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// An answer over TLS whose certificate verified.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The length of the body.
        bytes: usize,
    },
    /// The certificate did not verify: why.
    BadCertificate(String),
    /// No answer: why.
    Failed(String),
    /// No answer in time, in words.
    Late(String),
}

/// An answer with its body.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The status, when there was an answer.
    pub fn status(&self) -> Option<u16> {
        if let Self::Answered { status, .. } = self { Some(*status) } else { None }
    }
}

impl From<Result<Response, Self>> for Answer {
    fn from(response: Result<Response, Self>) -> Self {
        match response {
            Ok(response) => Self::Answered { status: response.status, bytes: response.body.len() },
            Err(answer) => answer,
        }
    }
}

impl<'a> Question<'a> {
    /// A GET without credentials.
    pub fn get(url: &'a str) -> Self {
        Self { url, token: None, body: None }
    }

    /// The same question with a token.
    #[must_use]
    pub fn with(self, token: Option<&'a str>) -> Self {
        Self { token, ..self }
    }
}

impl Trust {
    /// Trusts the CA in a PEM file, and no other.
    pub fn only(ca: &Path) -> Result<Self, Failure> {
        let unusable = |seen: String| {
            Failure::new("there is no CA of WorkerBee's to verify against")
                .expected(format!("a certificate in {}", ca.display()))
                .seen(seen)
                .remedy("see what `preflight::ca-ready` says; `mcp restart` exports it again")
        };
        let certificate = CertificateDer::from_pem_file(ca).map_err(|error| unusable(error.to_string()))?;
        Self::of(certificate).map_err(unusable)
    }

    /// Trusts a CA that was made just now and has signed nothing.
    pub fn stranger() -> Result<Self, Failure> {
        let made = || -> Result<CertificateDer<'static>, rcgen::Error> {
            let mut params = CertificateParams::new(Vec::new())?;
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Ok(params.self_signed(&KeyPair::generate()?)?.der().clone())
        };
        made().map_err(|error| error.to_string()).and_then(Self::of).map_err(|error| {
            Failure::new("no throw-away CA could be made").expected("a certificate").seen(error).to_be_reported()
        })
    }

    fn of(certificate: CertificateDer<'static>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate).map_err(|error| error.to_string())?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// A connection to where a URL points, verified for its host name.
    pub async fn connect(&self, uri: &Uri) -> Result<TlsStream<TcpStream>, Answer> {
        let failed = |error: &dyn std::fmt::Display| Answer::Failed(error.to_string());
        let host = uri.host().ok_or_else(|| failed(&format!("{uri} names no host")))?.to_owned();
        let name = ServerName::try_from(host).map_err(|error| failed(&error))?;
        let port = uri.port_u16().unwrap_or(443);
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| failed(&error))?;
        self.0.connect(name, stream).await.map_err(|error| {
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match tls {
                Some(rustls::Error::InvalidCertificate(reason)) => Answer::BadCertificate(format!("{reason:?}")),
                _ => failed(&error),
            }
        })
    }

    /// Asks, and reads the whole answer. (Boxed: a TLS session is large, and many are asked at once.)
    pub async fn ask(&self, question: Question<'_>) -> Result<Response, Answer> {
        self.ask_within(question, QUESTION).await
    }

    /// The same of something that takes longer.
    pub async fn ask_within(&self, question: Question<'_>, limit: Duration) -> Result<Response, Answer> {
        let answer = tokio::time::timeout(limit, Box::pin(self.exchange(question))).await;
        answer.unwrap_or_else(|_| Err(Answer::Late(format!("no answer within {} s", limit.as_secs()))))
    }

    async fn exchange(&self, question: Question<'_>) -> Result<Response, Answer> {
        let failed = |error: &dyn std::fmt::Display| Answer::Failed(error.to_string());
        let uri: Uri = question.url.parse().map_err(|error| failed(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(self.connect(&uri).await?)).await.map_err(|error| failed(&error))?;
        // It ends with the answer: nothing else is asked of it.
        let driver = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(if question.body.is_some() { Method::POST } else { Method::GET })
            .uri(uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(HOST, uri.authority().map(ToString::to_string).unwrap_or_default());
        if let Some(token) = question.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if question.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(Bytes::from(question.body.unwrap_or_default().to_owned()));
        let request = request.body(body).map_err(|error| failed(&error))?;
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|error| failed(&error))?.to_bytes().to_vec();
        driver.abort();
        Ok(Response { status, body })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot be set up must stop")]
mod tests {
    use std::io::Write as _;

    use rcgen::{CertifiedIssuer, Issuer};
    use rstest::rstest;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

    use super::*;

    /// A server of one answer to everybody, and the file with the CA of its certificate.
    async fn server(name: &str) -> (u16, tempfile::NamedTempFile) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca: CertifiedIssuer<'_, KeyPair> =
            CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let issuer: &Issuer<'_, KeyPair> = &ca;
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = [0; 4096];
                let read = stream.read(&mut request).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&request[..read]).to_lowercase();
                let status = if asked.contains("authorization: bearer open") { 200 } else { 401 };
                let answer = format!("HTTP/1.1 {status} So\r\nContent-Length: 5\r\n\r\nhello");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(pem(ca.der()).as_bytes()).unwrap();
        (port, file)
    }

    fn pem(der: &[u8]) -> String {
        use base64::Engine as _;
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    #[rstest]
    #[case::its_ca("k1s.demo.workerbee.localhost", None, Answer::Answered { status: 401, bytes: 5 })]
    #[case::with_a_token("k1s.demo.workerbee.localhost", Some("open"), Answer::Answered { status: 200, bytes: 5 })]
    #[tokio::test]
    async fn an_answer_is_one_that_verifies(#[case] name: &str, #[case] token: Option<&str>, #[case] wanted: Answer) {
        let (port, ca) = server("k1s.demo.workerbee.localhost").await;
        let url = format!("https://{name}:{port}/");
        let answer: Answer = Trust::only(ca.path()).unwrap().ask(Question::get(&url).with(token)).await.into();
        assert_eq!(answer, wanted);
    }

    #[tokio::test]
    async fn another_ca_and_another_name_are_refused() {
        let (port, ca) = server("k1s.demo.workerbee.localhost").await;
        let stranger = Trust::stranger().unwrap();
        let answer: Answer =
            stranger.ask(Question::get(&format!("https://k1s.demo.workerbee.localhost:{port}/"))).await.into();
        assert!(matches!(&answer, Answer::BadCertificate(_)), "{answer:?}");
        let trust = Trust::only(ca.path()).unwrap();
        let answer: Answer = trust.ask(Question::get(&format!("https://evil.localhost:{port}/"))).await.into();
        assert!(matches!(&answer, Answer::BadCertificate(reason) if reason.contains("NotValidForName")), "{answer:?}");
    }

    #[rstest]
    #[case::nobody_listens("https://k1s.demo.workerbee.localhost:1/", "refused")]
    #[case::no_url("no url at all", "invalid")]
    #[case::no_host("/path", "names no host")]
    #[tokio::test]
    async fn no_answer_says_why(#[case] url: &str, #[case] why: &str) {
        let answer: Answer = Trust::stranger().unwrap().ask(Question::get(url)).await.into();
        assert!(matches!(&answer, Answer::Failed(reason) if reason.contains(why)), "{answer:?}");
    }

    #[rstest]
    #[case::empty("")]
    #[case::no_pem("hello")]
    #[case::cut_off("-----BEGIN CERTIFICATE-----\nMIIB")]
    #[case::no_certificate("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n")]
    fn what_is_no_ca_is_none(#[case] text: &str) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        assert!(Trust::only(file.path()).is_err());
    }
}
