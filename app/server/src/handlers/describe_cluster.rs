//! DescribeCluster (key 60, versions 0-2, broker and controller listeners, no ACL; KIP-700, 919, 1073).
//!
//! A broker listener tells the brokers, a controller listener the controllers.

use ottla_metadata::Endpoint;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};

use crate::api_table::RequestContext;
use crate::authorized_operations as operations;
use crate::listener_view::ListenerView;
use crate::session::ListenerRole;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let role = ctx.session.listener.role;
    let kind = match role {
        ListenerRole::Broker => BROKERS,
        ListenerRole::Controller => CONTROLLERS,
    };
    if request.endpoint_type != kind {
        return refused(ctx.version, request.endpoint_type, kind);
    }
    let image = ctx.node.image();
    let view = ListenerView {
        image: &image,
        listener: &ctx.session.listener.name,
    };
    let (controller_id, brokers) = match role {
        ListenerRole::Broker => (ctx.node.id.0, brokers(view, request.include_fenced_brokers)),
        ListenerRole::Controller => {
            let leader = ctx.node.quorum.status().leader();
            (leader.map_or(-1, |leader| leader.0), controllers(view))
        }
    };
    DescribeClusterResponse {
        error_message: None,
        endpoint_type: kind,
        cluster_id: ctx.node.cluster_id.clone(),
        controller_id,
        brokers,
        cluster_authorized_operations: if request.include_cluster_authorized_operations {
            operations::CLUSTER
        } else {
            operations::NOT_ASKED
        },
        ..DescribeClusterResponse::default()
    }
}

fn brokers(view: ListenerView<'_>, fenced_too: bool) -> Vec<DescribeClusterBroker> {
    let known = view.image.cluster.brokers.values();
    let shown = known.filter(|broker| fenced_too || !broker.fenced);
    let listed = shown.filter_map(|broker| {
        let endpoint = broker.endpoint(view.listener)?;
        Some(DescribeClusterBroker {
            rack: broker.rack.clone(),
            is_fenced: broker.fenced,
            ..at(broker.id.0, endpoint)
        })
    });
    listed.collect()
}

fn controllers(view: ListenerView<'_>) -> Vec<DescribeClusterBroker> {
    let known = view.image.cluster.controllers.values();
    let listed = known.filter_map(|node| {
        let mut endpoints = node.endpoints.iter();
        let endpoint = endpoints.find(|endpoint| endpoint.name == view.listener)?;
        Some(at(node.id.0, endpoint))
    });
    listed.collect()
}

fn at(broker_id: i32, endpoint: &Endpoint) -> DescribeClusterBroker {
    DescribeClusterBroker {
        broker_id,
        host: endpoint.host.clone(),
        port: endpoint.port.into(),
        ..DescribeClusterBroker::default()
    }
}

/// The answer to a client that wanted nodes of another kind.
fn refused(version: i16, wanted: i8, here: i8) -> DescribeClusterResponse {
    let name = |kind| {
        if kind == BROKERS {
            "BROKER"
        } else {
            "CONTROLLER"
        }
    };
    let (error, message) = match (wanted, version) {
        (BROKERS | CONTROLLERS, _) => {
            let error = if version == 0 {
                ErrorCode::InvalidRequest // Version 0 does not know of kinds.
            } else {
                ErrorCode::MismatchedEndpointType
            };
            let (here, wanted) = (name(here), name(wanted));
            let message = format!(
                "The request was sent to an endpoint of type {here}, but we wanted an endpoint of \
                 type {wanted}"
            );
            (error, message)
        }
        (other, _) => (
            ErrorCode::UnsupportedEndpointType,
            format!("Unsupported endpoint type {other}"),
        ),
    };
    DescribeClusterResponse {
        error_code: error.code(),
        error_message: Some(message),
        ..DescribeClusterResponse::default()
    }
}
