//! ApiVersions, and answers in the order of the requests.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use crate::harness::{Front, with_front};
use crate::peer::{Peer, api_versions, api_versions_of, read_api_versions};

fn client() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "test".to_owned(),
        client_software_version: "1.0".to_owned(),
        ..Default::default()
    }
}

/// What one request is answered.
fn ask(version: i16, body: &ApiVersionsRequest) -> ApiVersionsResponse {
    with_front(Front::default(), async move |node| {
        let mut peer = Peer::connect(node.address).await;
        let answer = peer.ask(&api_versions_of(version, 7, body)).await;
        let known = if version > 5 { 0 } else { version };
        let (id, response) = read_api_versions(&answer.expect("an answer"), known);
        assert_eq!(id, 7);
        response
    })
}

#[test]
fn every_version_announces_what_is_served() {
    for version in 0..=5 {
        let body = if version >= 3 {
            client()
        } else {
            ApiVersionsRequest::default()
        };
        let response = ask(version, &body);
        assert_eq!(response.error_code, 0, "version {version}");
        let own = response.api_keys.iter().find(|api| api.api_key == 18);
        let own = own.expect("announced");
        assert_eq!((own.min_version, own.max_version), (0, 5));
        let features = &response.supported_features;
        let metadata = features.iter().any(|f| f.name == "metadata.version");
        assert_eq!(metadata, version >= 3, "version {version}");
        let hidden = features.iter().any(|feature| feature.min_version == 0);
        assert_eq!(hidden, version >= 4, "version {version}");
    }
}

#[test]
fn version_of_the_future_is_answered_in_the_form_of_version_0() {
    for version in [6, 99, i16::MAX] {
        let response = ask(version, &client());
        assert_eq!(response.error_code, ErrorCode::UnsupportedVersion.code());
        assert_eq!(response.api_keys.len(), 1);
    }
}

#[test]
fn nameless_clients_and_other_clusters_are_told() {
    let check = |version: i16, body: &ApiVersionsRequest, error: ErrorCode| {
        assert_eq!(ask(version, body).error_code, error.code(), "{body:?}");
    };
    check(3, &ApiVersionsRequest::default(), ErrorCode::InvalidRequest);
    for bad in ["", "-client", "client-", "cl ient", "cl\nient", "clié"] {
        let named = ApiVersionsRequest {
            client_software_name: bad.to_owned(),
            ..client()
        };
        check(3, &named, ErrorCode::InvalidRequest);
        let versioned = ApiVersionsRequest {
            client_software_version: bad.to_owned(),
            ..client()
        };
        check(3, &versioned, ErrorCode::InvalidRequest);
    }
    let to = |cluster: Option<&str>, node_id: i32| ApiVersionsRequest {
        cluster_id: cluster.map(str::to_owned),
        node_id,
        ..client()
    };
    check(5, &to(Some("the-cluster"), 1), ErrorCode::None);
    check(5, &to(Some("another"), 1), ErrorCode::RebootstrapRequired);
    let other_node = to(Some("the-cluster"), 2);
    check(5, &other_node, ErrorCode::RebootstrapRequired);
    check(5, &to(Some("the-cluster"), -1), ErrorCode::InvalidRequest);
    check(5, &to(None, 1), ErrorCode::InvalidRequest);
}

#[test]
fn a_thousand_requests_at_once_are_answered_in_order() {
    with_front(Front::default(), async |node| {
        let mut peer = Peer::connect(node.address).await;
        let all: Vec<u8> = (0..1000).flat_map(|id| api_versions(0, id)).collect();
        peer.send(&all).await.expect("open");
        for expected in 0..1000 {
            let answer = peer.answer().await.expect("an answer");
            assert_eq!(read_api_versions(&answer, 0).0, expected);
        }
    });
}
