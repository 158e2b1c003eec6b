//! Private files: read with a bound, written whole or not at all (rule K-3).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::KeyError;

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// It cannot be read or is longer.
pub fn read_bounded(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let failed = |source| KeyError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    // Room for everything at once, so that growing leaves no copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit.saturating_add(1)));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(KeyError::TooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}

/// Writes a file that only its owner can read. A crash leaves the old file or the new one, never a
/// part; when this returns, the new one is durable.
///
/// # Errors
/// The system refused, or the file exists and `replace` is false.
pub fn write_private(path: &Path, bytes: &[u8], replace: bool) -> Result<(), KeyError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let temporary = parent.join(format!(".{}.tmp", uuid::Uuid::new_v4()));
    let written = write_new(&temporary, bytes).and_then(|()| place(&temporary, path, replace));
    if written.is_err() || !replace {
        // Either it has its own name now, or it is not wanted.
        let _ = fs::remove_file(&temporary);
    }
    written
        .and_then(|()| File::open(parent)?.sync_all())
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists {
                path: PathBuf::from(path),
            },
            _ => KeyError::Io {
                path: PathBuf::from(path),
                source,
            },
        })
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn place(temporary: &Path, path: &Path, replace: bool) -> io::Result<()> {
    match replace {
        true => fs::rename(temporary, path),
        // Unlike renaming, linking fails when the name is taken.
        false => fs::hard_link(temporary, path),
    }
}
