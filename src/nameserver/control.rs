//! The control socket, `control.sock` in the state folder: where orders are given. Whoever may open it may order.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path as FsPath, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use axum::{
    Json, Router,
    extract::{ConnectInfo, Path, State, connect_info::Connected, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get},
    serve::IncomingStream,
};
use serde_json::json;
use tokio::net::UnixListener;
use tokio_util::task::AbortOnDropHandle;

use super::{
    overrides::{Order, OrderError, Overrides, today},
    running::Running,
};

pub(crate) const SOCKET: &str = "control.sock";

/// Who asks.
#[derive(Clone, Copy, Debug)]
struct Peer {
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let uid = stream.io().peer_cred().ok().map(|peer| peer.uid());
        Self { uid }
    }
}

#[derive(Clone)]
struct Control {
    running: Arc<Running>,
    overrides: Arc<Overrides>,
}

/// The socket, removed with the handle.
pub(super) struct Listening {
    path: PathBuf,
    _task: AbortOnDropHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "the control socket stays");
        }
    }
}

/// Listens in the state folder. A socket that an earlier process left is replaced.
pub(super) fn listen(
    state: &FsPath,
    running: Arc<Running>,
    overrides: Arc<Overrides>,
) -> anyhow::Result<Listening> {
    let path = state.join(SOCKET);
    let named = || format!("control socket {}", path.display());
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).with_context(named),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path).with_context(named)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).with_context(named)?;
    let app = Router::new()
        .route("/overrides", get(list).post(order).delete(clear_all))
        .route("/overrides/{of}", delete(clear))
        .with_state(Control { running, overrides })
        .into_make_service_with_connect_info::<Peer>();
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::error!(error = %error, "the control socket stopped");
        }
    });
    Ok(Listening {
        path,
        _task: AbortOnDropHandle::new(task),
    })
}

async fn list(State(control): State<Control>) -> Response {
    let standing = control.running.server.overrides();
    let gates = control.running.server.gates();
    let told = standing.iter().map(|order| {
        let ordered = gates.iter().filter(|gate| gate.cluster == order.of);
        let lifted = ordered
            .filter_map(|gate| gate.ordered.as_ref())
            .any(|ordered| ordered.lifted);
        json!({ "override": order, "lifted": lifted })
    });
    Json(json!(told.collect::<Vec<_>>())).into_response()
}

async fn order(
    State(control): State<Control>,
    ConnectInfo(Peer { uid }): ConnectInfo<Peer>,
    order: Result<Json<Order>, JsonRejection>,
) -> Response {
    let order = match order {
        Ok(Json(order)) => order,
        Err(rejection) => return refused(StatusCode::BAD_REQUEST, &rejection.body_text()),
    };
    let taken = control
        .overrides
        .order(&control.running.server, today(), uid, order);
    control.running.tick();
    match taken {
        Ok(order) => {
            tracing::warn!(of = order.of, action = %order.action, reason = order.reason, "override in force");
            Json(json!(order)).into_response()
        }
        Err(error) => refusal(&error),
    }
}

async fn clear(
    State(control): State<Control>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(of): Path<String>,
) -> Response {
    cleared(&control, peer, Some(&of))
}

async fn clear_all(State(control): State<Control>, ConnectInfo(peer): ConnectInfo<Peer>) -> Response {
    cleared(&control, peer, None)
}

fn cleared(control: &Control, Peer { uid }: Peer, of: Option<&str>) -> Response {
    let cleared = control.overrides.clear(&control.running.server, today(), uid, of);
    control.running.tick();
    match cleared {
        Ok(orders) => {
            for order in &orders {
                tracing::warn!(of = order.of, "override cleared");
            }
            Json(json!(orders)).into_response()
        }
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &OrderError) -> Response {
    let status = match error {
        OrderError::NoReason | OrderError::Time(_) => StatusCode::BAD_REQUEST,
        OrderError::NoSuch { .. } => StatusCode::NOT_FOUND,
        OrderError::Refused(_) => StatusCode::CONFLICT,
        OrderError::Keep { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refused(status, &error.to_string())
}

fn refused(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
