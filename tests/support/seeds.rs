//! The images of a project of the external mode, in a lane that stands for a user's own host.

/// A namespace that exists is refused by the gate: its images come when `WorkerBee` is about to make it.
pub(crate) const SEEDS: &str = r#"
case " $* " in *' validate '*)
  project=$(echo " $*" | sed -n 's/.* --project \([^ ]*\).*/\1/p')
  namespace=workerbee-$(printf %s "$WORKERBEE_CONTAINERD_STATE_ROOT" | sha1sum | cut -c1-12)-$project
  for image in python-k1s python-app; do
    ctr --address "$WORKERBEE_CONTAINERD_ADDRESS" --namespace "$namespace" images import --no-unpack "$IMAGES/$image.tar" >&2
  done
esac
exec "$REAL" "$@""#;
