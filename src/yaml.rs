//! YAML as version 1.2 has it: `no`, `off` and `y` are words, not booleans. A cluster may be called `no`.

use serde::de::DeserializeOwned;

/// # Errors
/// Where the text is not what is wanted, with its line.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options(text, serde_saphyr::options! { strict_booleans: true })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn words_are_words() {
        let read: Value = super::read("{no: y, on: off, really: true, not: false}").unwrap();
        assert_eq!(
            read,
            json!({ "no": "y", "on": "off", "really": true, "not": false })
        );
    }
}
