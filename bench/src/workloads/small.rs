//! Requests that read what the server knows.

use anyhow::{Result, ensure};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, MetadataResponse,
};
use ottla_protocol::{ApiKey, Reader};

use super::fixed::{self, CONNECTIONS, FixedTraffic};
use super::{Metrics, Target};
use crate::wire::{Client, create_topic, delete_topic, error_name, request_frame};

/// Metadata of one topic of sixteen partitions.
///
/// # Errors
/// If a request is refused.
pub(super) fn metadata(target: &Target<'_>) -> Result<Metrics> {
    let topic = create_topic(target.address, "metadata", 16, &[])?;
    let version = Client::connect(target.address)?.version(ApiKey::Metadata)?;
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some(topic.name.clone()),
            ..MetadataRequestTopic::default()
        }]),
        ..MetadataRequest::default()
    };
    let frame = request_frame(ApiKey::Metadata, version, 0, |w| request.encode(w, version))?;
    let mut traffic = FixedTraffic {
        api: ApiKey::Metadata,
        version,
        frames: vec![frame.into(); CONNECTIONS],
        check: Box::new(move |body| {
            let response = MetadataResponse::decode(&mut Reader::new(body), version)?;
            let count = response
                .topics
                .first()
                .map_or(0, |topic| topic.partitions.len());
            ensure!(count == 16, "Metadata: {count} partitions");
            Ok(())
        }),
    };
    let metrics = fixed::run(target, &mut traffic)?;
    delete_topic(target.address, &topic)?;
    Ok(metrics)
}

/// ApiVersions.
///
/// # Errors
/// If a request is refused.
pub(super) fn api_versions(target: &Target<'_>) -> Result<Metrics> {
    let version = Client::connect(target.address)?
        .version(ApiKey::ApiVersions)?
        .min(3);
    let request = ApiVersionsRequest {
        client_software_name: "ottla-bench".to_owned(),
        client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..ApiVersionsRequest::default()
    };
    let frame = request_frame(ApiKey::ApiVersions, version, 0, |w| {
        request.encode(w, version)
    })?;
    let mut traffic = FixedTraffic {
        api: ApiKey::ApiVersions,
        version,
        frames: vec![frame.into(); CONNECTIONS],
        check: Box::new(move |body| {
            let response = ApiVersionsResponse::decode(&mut Reader::new(body), version)?;
            let code = response.error_code;
            ensure!(code == 0, "ApiVersions: {}", error_name(code));
            Ok(())
        }),
    };
    fixed::run(target, &mut traffic)
}
