//! The web console: hand-written ES modules, styles and one page, embedded in the binary.
mod assets;

pub(super) use assets::CONTENT_SECURITY_POLICY;

/// Content type and bytes of the file at a request path.
pub(super) fn file(path: &str) -> Option<(&'static str, &'static [u8])> {
    assets::asset(path).map(|asset| (asset.content_type, asset.bytes))
}
