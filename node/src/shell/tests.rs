use std::sync::Arc;

use super::*;

/// What a shell wrote, kept for looking at.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream that fails as the system would.
struct Failing(io::ErrorKind);

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.into())
    }
}

fn shell(json: bool, quiet: bool) -> (Shell, Paper, Paper) {
    let (out, err) = (Paper::default(), Paper::default());
    let shell = Shell::to(json, quiet, Box::new(out.clone()), Box::new(err.clone()));
    (shell, out, err)
}

fn failing(kind: io::ErrorKind, json: bool) -> Shell {
    Shell::to(
        json,
        false,
        Box::new(Failing(kind)),
        Box::new(Failing(kind)),
    )
}

#[test]
fn json_mode_writes_envelopes_and_nothing_else() {
    let (shell, out, err) = shell(true, false);
    shell.progress("working");
    shell
        .data("human", &serde_json::json!({"a": 1, "text": "two\nlines"}))
        .unwrap();
    shell.error(&CliError::new(Exit::Refused, "double", "no").with_help("wait"));
    shell.error(&CliError::new(Exit::Failure, "plain", "no"));
    assert_eq!(
        out.text(),
        "{\"schema\":1,\"ok\":true,\"data\":{\"a\":1,\"text\":\"two\\nlines\"}}\n\
         {\"schema\":1,\"ok\":false,\"error\":{\"code\":\"double\",\"message\":\"no\",\"help\":\"wait\"}}\n\
         {\"schema\":1,\"ok\":false,\"error\":{\"code\":\"plain\",\"message\":\"no\",\"help\":null}}\n"
    );
    assert_eq!(err.text(), "");
}

#[test]
fn human_mode_separates_results_from_the_rest() {
    let (loud, out, err) = shell(false, false);
    loud.progress("working");
    loud.data("result\n", &1).unwrap();
    loud.error(&CliError::new(Exit::Failure, "x", "it broke").with_help("mend it"));
    assert_eq!(out.text(), "result\n");
    assert_eq!(err.text(), "working\nerror: it broke\n  help: mend it\n");

    let (quiet, out, err) = shell(false, true);
    quiet.progress("working");
    quiet.data("result", &1).unwrap();
    quiet.error(&CliError::new(Exit::Failure, "x", "it broke"));
    assert_eq!(out.text(), "result\n");
    assert_eq!(err.text(), "error: it broke\n");
}

#[test]
fn strangers_cannot_drive_the_terminal() {
    let (shell, out, err) = shell(false, false);
    shell.data("a\tb\n\x1b[2Jc\u{202e}d\u{9b}", &1).unwrap();
    shell.error(&CliError::new(Exit::Failure, "x", "one\nerror: two\r"));
    assert_eq!(out.text(), "a\tb\n\\u001b[2Jc\\u202ed\\u009b\n");
    assert_eq!(err.text(), "error: one\\u000aerror: two\\u000d\n");
    assert!(matches!(
        escape_controls("plain ünïcode 🔑"),
        Cow::Borrowed(_)
    ));
}

#[test]
fn a_reader_that_went_away_is_a_quiet_success() {
    for json in [true, false] {
        let shell = failing(io::ErrorKind::BrokenPipe, json);
        let end = shell.data("x", &1).unwrap_err();
        assert_eq!(end.exit, Exit::Ok);
        shell.error(&end);
        shell.error(&CliError::new(Exit::Failure, "x", "y"));
        shell.progress("z");
        // Any other failure to write the result is one.
        let end = failing(io::ErrorKind::StorageFull, json)
            .data("x", &1)
            .unwrap_err();
        assert_eq!((end.exit, end.code), (Exit::Failure, "io"));
    }
    // The silent end prints nothing even where it could.
    let (shell, out, err) = shell(true, false);
    shell.error(&CliError::closed());
    assert_eq!((out.text(), err.text()), (String::new(), String::new()));
}

#[test]
fn tables_align_for_people_and_not_for_programs() {
    let mut table = Table::new(["kind", "public"]);
    table.row(["bls", "é"]);
    table.row(["secp256k1", "a\tb"]);
    assert_eq!(
        table.to_string(),
        "kind       public\nbls        é\nsecp256k1  a\\u0009b\n"
    );
    let (shell, out, _) = shell(false, false);
    shell.table(&table, &1).unwrap();
    assert_eq!(out.text(), "kind\tpublic\nbls\té\nsecp256k1\ta\\u0009b\n");
    assert_eq!(Table::default().to_string(), "");
}

#[test]
fn errors_tell_their_causes_once() {
    let inner = io::Error::new(io::ErrorKind::PermissionDenied, "denied by policy");
    let error: CliError = crate::store::StoreError::Directory {
        path: "/data".into(),
        source: inner,
    }
    .into();
    assert_eq!(
        error.message,
        "cannot use the directory /data: denied by policy"
    );
    assert_eq!(error.exit, Exit::Config);
    assert!(error.help.is_some());
}

#[test]
fn a_table_without_rows_has_no_lines() {
    let (shell, out, err) = shell(false, false);
    shell.table(&Table::default(), &()).unwrap();
    assert_eq!(out.text(), "");
    assert_eq!(err.text(), "there are none\n");
}
