//! Values of arguments that more than one subcommand takes.

use std::time::Duration;

use lifeboat_chaos::fault::spec::parse_duration;

/// A length of time such as `500ms`, `10s` or `1m30s`.
///
/// Its arguments are declared with `allow_hyphen_values`, so that `-3s` is refused by what is allowed rather than
/// taken for a flag.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}
