//! Who asks, against the real daemon: sign-in, sessions, CSRF tokens, API signatures,
//! administrators, settings, bad input, and the commands for a lost password.

mod signin;
