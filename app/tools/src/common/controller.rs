//! Requests for the controller, which brokers pass on to it: asked again while another node becomes it.

use ottla_client::{Admin, Attempt, Bootstrap, Call, ClientError, Connection};
use ottla_protocol::ErrorCode;

/// What an answer says of each thing that it is about: a code, and words.
pub(crate) type Refusals = Vec<(i16, Option<String>)>;

/// Asks the controller: through any broker, or the active one itself where controllers are asked. `codes`
/// are those of the answer that tell whether it came from the controller.
///
/// # Errors
/// [`ClientError`]. What the codes say is left to the caller.
pub(crate) fn ask<C: Call>(
    admin: &mut Admin,
    call: &str,
    request: &C,
    codes: impl Fn(&C::Response) -> Vec<i16>,
) -> Result<C::Response, ClientError> {
    ask_at(admin, call, None, request, codes)
}

/// The same through a certain broker.
///
/// # Errors
/// As [`ask`].
pub(crate) fn ask_at<C: Call>(
    admin: &mut Admin,
    call: &str,
    node: Option<i32>,
    request: &C,
    codes: impl Fn(&C::Response) -> Vec<i16>,
) -> Result<C::Response, ClientError> {
    admin.retry(call, |admin| {
        let answer = connection(admin, node)?.ask(request)?;
        let moved = ErrorCode::NotController.code();
        Ok(if codes(&answer).contains(&moved) {
            Attempt::Again(ClientError::refused(moved, None))
        } else {
            Attempt::Done(answer)
        })
    })
}

fn connection(admin: &mut Admin, node: Option<i32>) -> Result<&mut Connection, ClientError> {
    match node {
        Some(node) => admin.node(node),
        None if admin.config().kind == Bootstrap::Controllers => {
            // Controllers pass nothing on.
            let active = admin.cluster()?.controller_id;
            admin.node(active)
        }
        None => admin.first(),
    }
}

/// Changes things through the controller.
///
/// # Errors
/// [`ClientError`], also that of the first thing that is refused, even if trying again might help.
pub(crate) fn change<C: Call>(
    admin: &mut Admin,
    call: &str,
    request: &C,
    refusals: impl Fn(&C::Response) -> Refusals,
) -> Result<(), ClientError> {
    change_at(admin, call, None, request, refusals)
}

/// The same through a certain broker.
///
/// # Errors
/// As [`change`].
pub(crate) fn change_at<C: Call>(
    admin: &mut Admin,
    call: &str,
    node: Option<i32>,
    request: &C,
    refusals: impl Fn(&C::Response) -> Refusals,
) -> Result<(), ClientError> {
    let codes = |answer: &C::Response| -> Vec<i16> {
        let refusals = refusals(answer);
        refusals.iter().map(|(code, _)| *code).collect()
    };
    let answer = ask_at(admin, call, node, request, codes)?;
    refusals(&answer)
        .iter()
        .try_for_each(|(code, message)| ClientError::check(*code, message.as_deref()))
}
