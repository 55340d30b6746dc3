//! What a path means.

use super::params::percent_decode;
use crate::apiserver::error::ApiError;
use crate::apiserver::gvr::Gvr;

/// The parts of a resource path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub gvr: Gvr,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub subresource: Option<String>,
    /// Asked for by the old `/watch/` prefix.
    pub watch: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Route {
    Root,
    Health,
    Version,
    Api,
    Apis,
    Group(String),
    GroupVersion(String, String),
    OpenApiV2,
    OpenApiV3Index,
    OpenApiV3(String, String),
    Resource(Target),
}

pub(crate) fn parse(path: &str) -> Result<Route, ApiError> {
    let parts: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(percent_decode)
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let route = match parts.as_slice() {
        [] => Route::Root,
        ["healthz" | "livez" | "readyz", ..] => Route::Health,
        ["version"] => Route::Version,
        ["api"] => Route::Api,
        ["apis"] => Route::Apis,
        ["api", version] => Route::GroupVersion(String::new(), (*version).to_owned()),
        ["apis", group] => Route::Group((*group).to_owned()),
        ["apis", group, version] => Route::GroupVersion((*group).to_owned(), (*version).to_owned()),
        ["openapi", "v2"] => Route::OpenApiV2,
        ["openapi", "v3"] => Route::OpenApiV3Index,
        ["openapi", "v3", "api", version] => Route::OpenApiV3(String::new(), (*version).to_owned()),
        ["openapi", "v3", "apis", group, version] => {
            Route::OpenApiV3((*group).to_owned(), (*version).to_owned())
        }
        ["api", version, rest @ ..] => Route::Resource(target("", version, rest)?),
        ["apis", group, version, rest @ ..] => Route::Resource(target(group, version, rest)?),
        _ => return Err(ApiError::no_such_path()),
    };
    Ok(route)
}

fn target(group: &str, version: &str, rest: &[&str]) -> Result<Target, ApiError> {
    let (watch, rest) = match rest {
        ["watch", rest @ ..] => (true, rest),
        _ => (false, rest),
    };
    let (namespace, rest) = match rest {
        ["namespaces", _name, "status" | "finalize"] => (None, rest),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
        _ => (None, rest),
    };
    let [resource, rest @ ..] = rest else {
        return Err(ApiError::no_such_path());
    };
    let text = |part: Option<&&str>| part.map(|part| (*part).to_owned());
    if rest.len() > 2 && rest[1] != "proxy" {
        return Err(ApiError::no_such_path());
    }
    Ok(Target {
        gvr: Gvr::new(group, version, resource),
        namespace,
        name: text(rest.first()),
        subresource: text(rest.get(1)),
        watch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: (&str, Option<&str>, Option<&str>, Option<&str>)) {
        let Ok(Route::Resource(found)) = parse(path) else {
            panic!("{path}")
        };
        let shown = format!("{}", found.gvr);
        let found = (
            found.namespace.as_deref(),
            found.name.as_deref(),
            found.subresource.as_deref(),
        );
        assert_eq!((shown.as_str(), found.0, found.1, found.2), expected, "{path}");
    }

    #[test]
    fn paths() {
        check("/api/v1/pods", ("v1 pods", None, None, None));
        check(
            "/api/v1/namespaces/a/pods/b/log",
            ("v1 pods", Some("a"), Some("b"), Some("log")),
        );
        check("/api/v1/namespaces/a", ("v1 namespaces", None, Some("a"), None));
        check(
            "/api/v1/namespaces/a/status",
            ("v1 namespaces", None, Some("a"), Some("status")),
        );
        check(
            "/api/v1/namespaces/a/finalize",
            ("v1 namespaces", None, Some("a"), Some("finalize")),
        );
        check(
            "/apis/apps/v1/namespaces/a/deployments/b/scale",
            ("apps/v1 deployments", Some("a"), Some("b"), Some("scale")),
        );
        check(
            "/apis/x.dev/v1/zones/system%3Aa",
            ("x.dev/v1 zones", None, Some("system:a"), None),
        );
        assert!(parse("/api/v1/namespaces/a/pods/b/c/d").is_err());
        assert!(parse("/metrics").is_err());
        assert_eq!(
            parse("/apis/apps/v1"),
            Ok(Route::GroupVersion("apps".into(), "v1".into()))
        );
        assert_eq!(parse("/readyz"), Ok(Route::Health));
    }
}
