//! Reads the TOML file into texts with their lines.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, Origin, Setting};

/// Bytes of a configuration file.
const FILE_BYTES_MAX: usize = 256 << 10;

/// A setting as the file has it.
pub(super) struct FileValue {
    pub(super) setting: Setting,
    pub(super) origin: Origin,
    pub(super) texts: Vec<String>,
}

/// Every setting of a file, in the order of its keys.
pub(super) fn read(path: &Path) -> Result<Vec<FileValue>, ConfigError> {
    let text = text_of(path)?;
    let line_of = |at: usize| {
        let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    };
    let document = DeTable::parse(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: line_of(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let mut values = Vec::new();
    for (key, value) in document.get_ref() {
        let line = line_of(key.span().start);
        let name = key.get_ref().as_ref();
        let setting = Setting::by_key(name).ok_or_else(|| ConfigError::UnknownKey {
            path: path.to_owned(),
            line,
            key: name.to_owned(),
            nearest: Setting::nearest(name),
        })?;
        let texts = texts_of(setting, value).map_err(|(expected, found)| ConfigError::Type {
            path: path.to_owned(),
            line: line_of(value.span().start),
            setting,
            expected,
            found,
        })?;
        values.push(FileValue {
            setting,
            origin: Origin::File {
                path: path.to_owned(),
                line,
            },
            texts,
        });
    }
    Ok(values)
}

fn text_of(path: &Path) -> Result<String, ConfigError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ConfigError::Missing {
            path: path.to_owned(),
        },
        _ => ConfigError::Read {
            path: path.to_owned(),
            source,
        },
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_BYTES_MAX)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    File::open(path)
        .map_err(failed)?
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
            limit: FILE_BYTES_MAX,
        });
    }
    String::from_utf8(bytes).map_err(|_| ConfigError::NotText {
        path: path.to_owned(),
    })
}

/// The texts of a value; else what was expected and what was found.
fn texts_of(
    setting: Setting,
    value: &Spanned<DeValue<'_>>,
) -> Result<Vec<String>, (&'static str, &'static str)> {
    let text = |value: &Spanned<DeValue<'_>>| value.get_ref().as_str().map(str::to_owned);
    let found = value.get_ref().type_str();
    if !setting.is_list() {
        return Ok(vec![text(value).ok_or(("a string", found))?]);
    }
    let Some(array) = value.get_ref().as_array() else {
        return Err(("an array of strings", found));
    };
    let texts = array
        .iter()
        .map(|item| text(item).ok_or(("an array of strings", "an array with something else")));
    texts.collect()
}
