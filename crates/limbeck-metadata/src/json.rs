//! The JSON form: read straight into the model, so that ten thousand tables need no tree of values in between.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::MetaDataError;
use crate::model::{MetaData, Version};

impl MetaData {
    /// Reads JSON metadata. `place` is the file or whatever the text came from; it stands in the messages.
    ///
    /// # Errors
    /// If the text is not JSON or not metadata, with line, column and what is wrong; if its version is another one.
    pub fn from_json(text: &str, place: &str) -> Result<Self, MetaDataError> {
        let mut metadata: Self =
            serde_json::from_str(text).map_err(|error| explain(text, place, &error))?;
        metadata.place = Some(place.to_owned());
        for (at, it) in metadata.tables.iter_mut().enumerate() {
            it.place = Some(format!("{place}: tables[{at}]"));
        }
        for (at, it) in metadata.enums.iter_mut().enumerate() {
            it.place = Some(format!("{place}: enums[{at}]"));
        }
        for (at, it) in metadata.sequences.iter_mut().enumerate() {
            it.place = Some(format!("{place}: sequences[{at}]"));
        }
        for (at, it) in metadata.domains.iter_mut().enumerate() {
            it.place = Some(format!("{place}: domains[{at}]"));
        }
        for (at, it) in metadata.composite_types.iter_mut().enumerate() {
            it.place = Some(format!("{place}: composite_types[{at}]"));
        }
        for (at, it) in metadata.ranges.iter_mut().enumerate() {
            it.place = Some(format!("{place}: ranges[{at}]"));
        }
        for (at, it) in metadata.collations.iter_mut().enumerate() {
            it.place = Some(format!("{place}: collations[{at}]"));
        }
        Ok(metadata)
    }

    /// Writes JSON metadata, indented, without what has its default.
    ///
    /// # Errors
    /// None that is known: the model holds nothing that JSON cannot say.
    pub fn to_json(&self) -> Result<String, MetaDataError> {
        serde_json::to_string_pretty(self)
            .map_err(|error| MetaDataError::invalid("metadata", error.to_string()))
    }
}

/// A document of another version is wrong for that reason first, whatever else the parser met.
fn explain(text: &str, place: &str, error: &serde_json::Error) -> MetaDataError {
    #[derive(Deserialize)]
    struct Versioned {
        limbeck: u64,
    }
    let place = place.to_owned();
    let (line, column) = (error.line(), error.column());
    match serde_json::from_str::<Versioned>(text) {
        Ok(Versioned { limbeck: found }) if found != Version::NUMBER => {
            MetaDataError::Version { place, found }
        }
        Err(_) if error.is_data() && !has_version(text) => MetaDataError::Json {
            place,
            line: 1,
            column: 1,
            message: "this is not JSON metadata: an object with \"limbeck\": 1 is expected".into(),
        },
        _ => MetaDataError::Json {
            place,
            line,
            column,
            message: message(error),
        },
    }
}

fn has_version(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Keyed {
        #[serde(rename = "limbeck")]
        _limbeck: IgnoredAny,
    }
    serde_json::from_str::<Keyed>(text).is_ok()
}

/// The message without its position, which is said before it.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}
