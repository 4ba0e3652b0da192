//! The program: arguments to a command, its result to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before any other thread exists.
    warren::sys::env::limit_driver_threads();
    warren::sys::env::keep_little_memory();
    let mut args = std::env::args_os();
    args.next();
    match warren::cli::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.text.is_empty() {
                warren::cli::complain(&format!("warren: {}", failure.text));
            }
            ExitCode::from(failure.code)
        }
    }
}
