//! The console: its pure logic under Node.

use crate::needs;
use std::process::Command;

#[test]
fn console_logic() {
    needs!(Node);
    let output =
        Command::new("node").args(["--test", "tests/browser/logic/"]).output().expect("node");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("# pass ") && !text.contains("# pass 0\n"), "nothing was tested: {text}");
}
