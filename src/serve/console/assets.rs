//! The web console's files, embedded in the binary: one table from request path to bytes.
//!
//! Everything the page loads comes from here, so that a strict content security policy holds and the
//! console works on a machine without any other network.

/// One embedded file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asset {
    /// The request path, absolute, without a query.
    pub(crate) path: &'static str,
    /// The `Content-Type` to send.
    pub(crate) content_type: &'static str,
    /// The body.
    pub(crate) bytes: &'static [u8],
}

/// The `Content-Security-Policy` under which every page of the console is served.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
     form-action 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! asset {
    ($path:literal, $content_type:expr, $file:literal) => {
        Asset {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!($file),
        }
    };
}

/// Every file of the console.
pub(crate) static ASSETS: &[Asset] = &[
    asset!("/", HTML, "index.html"),
    asset!("/console/frame.css", CSS, "frame.css"),
    asset!("/console/map.css", CSS, "map.css"),
    asset!("/console/panels.css", CSS, "panels.css"),
    asset!("/console/tokens.css", CSS, "tokens.css"),
    asset!("/console/mark.svg", SVG, "mark.svg"),
    asset!("/console/theme.js", JS, "theme.js"),
    asset!("/console/js/answers.js", JS, "js/answers.js"),
    asset!("/console/js/api.js", JS, "js/api.js"),
    asset!("/console/js/atlas.js", JS, "js/atlas.js"),
    asset!("/console/js/board.js", JS, "js/board.js"),
    asset!("/console/js/chart.js", JS, "js/chart.js"),
    asset!("/console/js/coast.js", JS, "js/coast.js"),
    asset!("/console/js/document.js", JS, "js/document.js"),
    asset!("/console/js/dom.js", JS, "js/dom.js"),
    asset!("/console/js/events.js", JS, "js/events.js"),
    asset!("/console/js/faults.js", JS, "js/faults.js"),
    asset!("/console/js/header.js", JS, "js/header.js"),
    asset!("/console/js/history.js", JS, "js/history.js"),
    asset!("/console/js/holds.js", JS, "js/holds.js"),
    asset!("/console/js/main.js", JS, "js/main.js"),
    asset!("/console/js/map.js", JS, "js/map.js"),
    asset!("/console/js/place.js", JS, "js/place.js"),
    asset!("/console/js/rates.js", JS, "js/rates.js"),
    asset!("/console/js/sentence.js", JS, "js/sentence.js"),
    asset!("/console/js/session.js", JS, "js/session.js"),
    asset!("/console/js/shares.js", JS, "js/shares.js"),
    asset!("/console/js/stream.js", JS, "js/stream.js"),
    asset!("/console/js/timeline.js", JS, "js/timeline.js"),
    asset!("/console/js/witness.js", JS, "js/witness.js"),
    asset!("/console/js/words.js", JS, "js/words.js"),
];

/// The file at a request path.
pub(crate) fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::{ASSETS, CONTENT_SECURITY_POLICY, HTML, asset};

    fn files_under(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}/{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                files_under(&entry.path(), &name, found);
            } else if !name.ends_with(".rs") {
                found.insert(name);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let mut files = BTreeSet::new();
        files_under(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/serve/console"),
            "/console",
            &mut files,
        );
        assert!(files.remove("/console/index.html"));
        files.insert("/".to_owned());
        let served: BTreeSet<_> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
        assert_eq!(served, files);
    }

    #[test]
    fn a_path_finds_its_file_and_nothing_else() {
        assert_eq!(asset("/").map(|asset| asset.content_type), Some(HTML));
        assert!(asset("/console/js/main.js").is_some());
        assert!(asset("/console/js").is_none());
        assert!(asset("/console/../secret").is_none());
    }

    #[test]
    fn every_import_and_link_points_at_a_served_file() {
        for file in ASSETS.iter().filter(|asset| asset.path.contains("/js/")) {
            let text = std::str::from_utf8(file.bytes).unwrap();
            for import in text.lines().filter(|line| line.starts_with("import")) {
                let (_, module) = import.split_once("\"./").unwrap();
                let path = format!("/console/js/{}", module.trim_end_matches("\";"));
                assert!(asset(&path).is_some(), "{} imports {path}", file.path);
            }
        }
        let page = std::str::from_utf8(asset("/").unwrap().bytes).unwrap();
        for link in page.split('"').filter(|part| part.starts_with("/console/")) {
            assert!(asset(link).is_some(), "index.html links to {link}");
        }
    }

    #[test]
    fn the_page_obeys_its_own_policy() {
        let page = std::str::from_utf8(asset("/").unwrap().bytes).unwrap();
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains("<script>"));
        assert!(!page.contains("http://") && !page.contains("https://"));
        assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
    }
}
