//! The tasks of a namespace as they start and end: containerd's own events, as it sends them.

use containerd_client::events::{ContainerDelete, TaskExit, TaskOom, TaskStart};
use containerd_client::services::v1::SubscribeRequest;
use containerd_client::services::v1::events_client::EventsClient;
use containerd_client::tonic::Streaming;
use containerd_client::types::Envelope;
use jiff::Timestamp;

use super::containerd::Containerd;
use crate::failure::Failure;

/// Something that happened to a container's main process, or to the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEvent {
    /// Its main process started.
    Started(String),
    /// Its main process ended.
    Exited {
        /// The container's id.
        container: String,
        /// 128 and the signal's number when a signal ended it.
        status: u32,
        /// The time, by the machine's clock.
        at: Option<Timestamp>,
    },
    /// The kernel killed a process of the container for want of memory.
    OutOfMemory(String),
    /// The container was removed.
    Removed(String),
}

/// The events of one namespace, from the moment of the subscription on.
pub struct Events<'a> {
    containerd: &'a Containerd,
    stream: Streaming<Envelope>,
}

impl Containerd {
    /// Subscribes to what happens to the tasks of a namespace. containerd answers with the first event, and not before.
    pub async fn events(&self, namespace: &str) -> Result<Events<'_>, Failure> {
        let of = |topic: &str| format!("namespace=={namespace:?},topic=={topic:?}");
        let filters = ["/tasks/start", "/tasks/exit", "/tasks/oom", "/containers/delete"].map(of).into();
        // No limit: the stream is open for as long as the gate watches.
        let subscribed = EventsClient::new(self.channel()).subscribe(SubscribeRequest { filters }).await;
        let stream = subscribed.map_err(|status| self.refused(&status))?.into_inner();
        Ok(Events { containerd: self, stream })
    }
}

impl Events<'_> {
    /// The next event; a stream that has ended is a containerd that has.
    pub async fn next(&mut self) -> Result<TaskEvent, Failure> {
        loop {
            match self.stream.message().await {
                Ok(Some(envelope)) => {
                    if let Some(event) = event(envelope) {
                        return Ok(event);
                    }
                }
                Ok(None) => return Err(self.containerd.silent("its events ended")),
                Err(status) => return Err(self.containerd.refused(&status)),
            }
        }
    }
}

fn event(envelope: Envelope) -> Option<TaskEvent> {
    let mut payload = envelope.event?;
    // containerd leaves out the slash that the type's URL should begin with.
    if !payload.type_url.starts_with('/') {
        payload.type_url.insert(0, '/');
    }
    match envelope.topic.as_str() {
        "/tasks/start" => payload.to_msg::<TaskStart>().ok().map(|start| TaskEvent::Started(start.container_id)),
        "/tasks/exit" => {
            let exit = payload.to_msg::<TaskExit>().ok()?;
            // What `nerdctl exec` started in a container ends without it.
            let main = exit.id.is_empty() || exit.id == exit.container_id;
            let at = exit.exited_at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok());
            main.then_some(TaskEvent::Exited { container: exit.container_id, status: exit.exit_status, at })
        }
        "/tasks/oom" => payload.to_msg::<TaskOom>().ok().map(|oom| TaskEvent::OutOfMemory(oom.container_id)),
        "/containers/delete" => payload.to_msg::<ContainerDelete>().ok().map(|gone| TaskEvent::Removed(gone.id)),
        _ => None,
    }
}
