//! Metrics as Prometheus asks for them.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::registry::Registry;
use serde_json::json;

/// Everything in the registry, in the OpenMetrics text format.
pub fn open_metrics(registry: &Registry) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => {
            let message = json!({ "error": format!("encoding metrics: {error}") });
            (StatusCode::INTERNAL_SERVER_ERROR, Json(message)).into_response()
        }
    }
}
