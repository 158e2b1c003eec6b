//! Keeps the repository tidy: specs and code name the same rules and objects, arrows point down, files stay short.
//!
//! Reads files and nothing else, so it needs none of the crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of one file; longer ones have more than one subject.
const LINES_MAX: usize = 500;
/// Kinds of objects from here on are for tests and tools.
const KIND_SPARE: u8 = 250;

/// What each crate may depend on of ours.
const ARROWS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("attest", &["protocol"]),
    ("slashing", &["protocol"]),
    ("node", &["protocol", "attest", "slashing"]),
    ("tests", &["protocol", "attest", "slashing", "node"]),
];

/// Libraries with few doors, and the doors.
const DOORS: &[(&str, &[&str])] = &[
    // Between a node and its own workers one spelling is as good as another.
    (
        "serde_cbor",
        &["protocol/src/codec", "node/src/worker/wire"],
    ),
    ("bls12_381", &["protocol/src/bls", "tests/benches/bls.rs"]),
];

/// What the core crates never touch.
const WORLD: &[&str] = &[
    "tokio",
    "Instant",
    "SystemTime",
    "std::time",
    "std::fs",
    "std::net",
];

/// Words that the project does not say, in two halves so that this file does not say them either.
const FORBIDDEN: &[(&str, &str)] = &[
    ("issue", " #"),
    ("crates", ".io"),
    ("npm", "js"),
    ("py", "pi"),
];

/// Paths of machines that the project was made on, likewise.
const FOREIGN_PATHS: &[(&str, &str)] = &[("/wo", "rk"), ("/tmp", "/helper")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All text files that are in the repository or about to be, by path.
fn texts() -> BTreeMap<String, String> {
    let root = root();
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(&root)
        .output()
        .ok()
        .filter(|listed| listed.status.success())
        .map(|listed| String::from_utf8_lossy(&listed.stdout).into_owned());
    let mut paths = Vec::new();
    match listed {
        Some(listed) => paths.extend(listed.split_terminator('\0').map(str::to_owned)),
        // An unpacked archive has no git.
        None => walk(&root, "", &mut paths),
    }
    let mut texts = BTreeMap::new();
    for path in paths {
        // A file that is being removed, or is no text.
        if let Ok(text) = fs::read_to_string(root.join(&path)) {
            texts.insert(path, text);
        }
    }
    assert!(
        texts.contains_key("specs/README.md"),
        "not the repository: {}",
        root.display()
    );
    texts
}

fn walk(dir: &Path, prefix: &str, paths: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => {
                if !["target", ".git", "node_modules"].contains(&name.as_str()) {
                    walk(&entry.path(), &format!("{path}/"), paths);
                }
            }
            Ok(_) => paths.push(path),
            Err(_) => {}
        }
    }
}

fn is_rust(path: &str) -> bool {
    path.ends_with(".rs")
}

fn is_spec(path: &str) -> bool {
    path.starts_with("specs/") && path.ends_with(".md")
}

/// Whether a file is compiled for tests only.
fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// The rule tag at the start of a text: one to three capitals, a hyphen, a number.
fn tag(text: &str) -> Option<&str> {
    let letters = text.bytes().take_while(u8::is_ascii_uppercase).count();
    let number = text.get(letters..)?.strip_prefix('-')?;
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let more = number
        .as_bytes()
        .get(digits)
        .is_some_and(u8::is_ascii_alphanumeric);
    if !(1..=3).contains(&letters) || !(1..=3).contains(&digits) || more {
        return None;
    }
    text.get(..letters + 1 + digits)
}

/// The tag that a line of a list defines.
fn defined(line: &str) -> Option<&str> {
    let item = line
        .trim_start()
        .trim_start_matches("//! ")
        .strip_prefix("- `[")?;
    tag(item).filter(|tag| {
        item.get(tag.len()..)
            .is_some_and(|rest| rest.starts_with("]`"))
    })
}

/// All tags that a text names: in brackets, or after "rule" and "rules".
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices('[') {
        let inside = text.get(at + 1..).unwrap_or_default();
        let closed = |tag: &&str| {
            inside
                .get(tag.len()..)
                .is_some_and(|it| it.starts_with(']'))
        };
        if let Some(tag) = tag(inside).filter(closed) {
            found.insert(tag.to_owned());
        }
    }
    // A list of tags may go on in the next line of a comment.
    let words: Vec<&str> = text
        .split_whitespace()
        .filter(|word| !["//", "///", "//!"].contains(word))
        .collect();
    for (at, word) in words.iter().enumerate() {
        let word = word
            .trim_start_matches(['(', '"', '`'])
            .to_ascii_lowercase();
        if word != "rule" && word != "rules" {
            continue;
        }
        for word in words.iter().skip(at + 1) {
            match tag(word) {
                Some(tag) => found.insert(tag.to_owned()),
                None if ["and", "to", "or"].contains(word) => continue,
                None => break,
            };
        }
    }
    found
}

/// Tags by the file that defines them, and every tag that stands for two rules.
fn definitions(
    texts: &BTreeMap<String, String>,
    which: fn(&str) -> bool,
    wrong: &mut Vec<String>,
) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (path, text) in texts.iter().filter(|(path, _)| which(path)) {
        for tag in text.lines().filter_map(defined) {
            if let Some(other) = found.insert(tag.to_owned(), path.clone()) {
                wrong.push(format!("{tag} is defined in {other} and in {path}"));
            }
        }
    }
    found
}

fn conclude(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn specs_and_code_name_the_same_rules() {
    let texts = texts();
    let mut wrong = Vec::new();
    let specs = definitions(&texts, is_spec, &mut wrong);
    definitions(&texts, is_rust, &mut wrong);
    let mut cited = BTreeSet::new();
    // This file names tags that are no rules.
    let others = texts
        .iter()
        .filter(|(path, _)| *path != "tests/tests/tidy.rs");
    for (path, text) in others.filter(|(path, _)| is_rust(path) || is_spec(path)) {
        let named = named(text);
        for tag in named.iter().filter(|tag| !specs.contains_key(*tag)) {
            wrong.push(format!("{path} names {tag}, which no spec defines"));
        }
        if is_rust(path) {
            cited.extend(named);
        }
    }
    for (tag, path) in specs.iter().filter(|(tag, _)| !cited.contains(*tag)) {
        wrong.push(format!("{path} defines {tag}, which no code names"));
    }
    conclude(&wrong);
}

/// The kinds of all objects with their names, as the code has them.
fn kinds(texts: &BTreeMap<String, String>) -> Vec<(u8, String, String)> {
    let mut found = Vec::new();
    for (path, text) in texts.iter().filter(|(path, _)| is_rust(path)) {
        for implementation in text.split("\nimpl Wire for ").skip(1) {
            let name = implementation.split_whitespace().next().unwrap_or_default();
            let kind = implementation
                .split("const KIND: u8 = ")
                .nth(1)
                .unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim();
            let kind = if kind == "u8::MAX" {
                u8::MAX
            } else {
                kind.parse().unwrap_or_default()
            };
            found.push((kind, name.to_owned(), path.clone()));
        }
    }
    found
}

#[test]
fn every_object_has_a_kind_of_its_own_and_stands_in_the_specs() {
    let texts = texts();
    let mut wrong = Vec::new();
    let mut owners: BTreeMap<u8, String> = BTreeMap::new();
    let mut code = BTreeSet::new();
    for (kind, name, path) in kinds(&texts) {
        let here = format!("{name} in {path}");
        if let Some(other) = owners.insert(kind, here.clone()) {
            wrong.push(format!("kind {kind} is {other} and {here}"));
        }
        if kind < KIND_SPARE {
            code.insert((kind, name));
        }
    }
    let mut specs = BTreeSet::new();
    for line in texts["specs/wire.md"].lines() {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        if let (Some(Ok(kind)), Some(name)) = (cells.next().map(str::parse), cells.next()) {
            specs.insert((kind, name.trim_matches('`').to_owned()));
        }
    }
    for (kind, name) in code.symmetric_difference(&specs) {
        wrong.push(format!(
            "{name} ({kind}) is only in the code or only in specs/wire.md"
        ));
    }
    assert!(code.len() > 30, "no objects were found");
    conclude(&wrong);
}

#[test]
fn files_are_short() {
    let mut wrong = Vec::new();
    for (path, text) in texts().iter().filter(|(path, _)| is_rust(path)) {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{path} has {lines} lines, more than {LINES_MAX}"));
        }
    }
    conclude(&wrong);
}

/// Whether a text names something as a word of its own.
fn has_word(text: &str, word: &str) -> bool {
    let part = |it: Option<char>| it.is_some_and(|it| it.is_ascii_alphanumeric() || it == '_');
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|it| it.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|it| it.chars().next());
        !part(before) && !part(after)
    })
}

#[test]
fn libraries_are_named_behind_their_doors() {
    let mut wrong = Vec::new();
    for (path, text) in texts()
        .iter()
        .filter(|(path, _)| is_rust(path) && !is_test(path))
    {
        for (library, doors) in DOORS {
            // This file is a test, so it may name them.
            let behind = doors.iter().any(|door| path.starts_with(door));
            if has_word(text, library) && !behind {
                wrong.push(format!(
                    "{path} names {library}, which belongs behind {doors:?}"
                ));
            }
        }
    }
    conclude(&wrong);
}

#[test]
fn the_core_does_not_touch_the_world() {
    let mut wrong = Vec::new();
    let core = ["protocol/src/", "attest/src/", "slashing/src/"];
    for (path, text) in texts().iter().filter(|(path, _)| is_rust(path)) {
        if core.iter().any(|folder| path.starts_with(folder)) {
            let named = WORLD.iter().filter(|thing| has_word(text, thing));
            wrong.extend(named.map(|thing| format!("{path} names {thing}")));
        }
    }
    conclude(&wrong);
}

#[test]
fn arrows_point_down() {
    let texts = texts();
    let mut wrong = Vec::new();
    for (name, allowed) in ARROWS {
        let path = format!("{name}/Cargo.toml");
        let manifest = texts.get(&path).map(String::as_str).unwrap_or_default();
        assert!(manifest.contains("[package]"), "{path} is missing");
        let mut section = "";
        for line in manifest.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line;
            }
            // `[dependencies]` and its like, and `[dependencies.surety-x]`.
            if !section.contains("dependencies") || line.starts_with('#') {
                continue;
            }
            if line.contains("path =") {
                wrong.push(format!(
                    "{path} has a path, which belongs into the workspace: {line}"
                ));
            }
            for found in line.split("surety-").skip(1) {
                let end = found.find(|it: char| !it.is_ascii_alphanumeric() && it != '-');
                let crate_name = &found[..end.unwrap_or(found.len())];
                if !allowed.contains(&crate_name) {
                    wrong.push(format!("{path} points up to surety-{crate_name}"));
                }
            }
        }
    }
    conclude(&wrong);
}

#[test]
fn the_project_speaks_of_itself() {
    let mut wrong = Vec::new();
    // Lock files are written by tools, which name where things come from.
    let locks = ["Cargo.lock", "package-lock.json"];
    for (path, text) in texts() {
        if locks.iter().any(|lock| path.ends_with(lock)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_ascii_lowercase();
            let mut found: Vec<String> = FORBIDDEN
                .iter()
                .map(|(left, right)| format!("{left}{right}"))
                .filter(|word| lower.contains(word))
                .collect();
            let foreign = FOREIGN_PATHS
                .iter()
                .map(|(left, right)| format!("{left}{right}"));
            found.extend(foreign.filter(|word| starts_a_path(line, word)));
            for word in found {
                wrong.push(format!("{path}:{}: {word}", number + 1));
            }
        }
    }
    conclude(&wrong);
}

/// Whether a line has an absolute path that begins so.
fn starts_a_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line.get(..at).and_then(|it| it.chars().next_back());
        let after = line
            .get(at + start.len()..)
            .and_then(|it| it.chars().next());
        let inside = |it: char| it.is_ascii_alphanumeric() || "._-}".contains(it);
        !before.is_some_and(inside) && !after.is_some_and(|it| it.is_ascii_alphanumeric())
    })
}

#[test]
fn tags_are_read_as_people_read_them() {
    let text =
        "// [L-3] as rules O-1,\n/// EN-6 and R-1 to R-3, not SHA-256 (rule M-2), [x-1] [LONG-1]";
    let read = named(text);
    let expected = ["EN-6", "L-3", "M-2", "O-1", "R-1", "R-3"];
    assert_eq!(
        read.iter().map(String::as_str).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(defined("//! - `[CL-1]` Text."), Some("CL-1"));
    assert_eq!(defined("see `[CL-1]`"), None);
    assert_eq!(tag("A-1b"), None);
    assert!(starts_a_path("in `/wo/rk`", "/wo/rk") && !starts_a_path("a/wo/rk", "/wo/rk"));
}
