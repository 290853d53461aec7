/**
 * Keys of Centrifugo v6 that we lack: a file that sets one loads, with a warning. A name stands for everything below it.
 */

const words = (text: string): string[] => text.trim().split(/\s+/)

const sections = words(`
  admin broker consumers debug emulation graphite grpc_api health http_api http_stream init map_broker
  node opentelemetry presence_manager prometheus proxies rpc shared_poll sse swagger uni_grpc
  uni_http_stream uni_sse uni_websocket usage_stats webtransport pid_file enable_unreleased_features
`)

const inSections: Record<string, string[]> = {
  http_server: words(`
    tls tls_autocert tls_external internal_tls http3 h2c_external external_http2_extended_connect
  `),
  log: words('level file'),
  engine: words('type redis'),
  controller: words('enabled type postgres redis nats'),
  client: words(`
    proxy subscription_token allow_anonymous_connect_without_token
    disallow_anonymous_connection_tokens expired_sub_close_delay presence_update_interval concurrency
    channel_position_check_delay channel_position_max_time_lag user_connection_limit
    connection_rate_limit connect_include_server_time history_max_publication_limit
    insecure_skip_token_signature_verify user_id_http_header subscribe_to_user_personal_channel
    connect_code_to_unidirectional_disconnect
  `),
  'client.token': words(`
    hmac_previous_secret_key hmac_previous_secret_key_valid_until rsa_public_key ecdsa_public_key
    jwks_public_endpoint audience audience_regex issuer issuer_regex user_id_claim
    insecure_skip_jwks_endpoint_safety_check
  `),
  channel: words(`
    proxy history_meta_ttl publication_data_format private_prefix namespace_boundary user_boundary
    user_separator
  `),
  websocket: words(`
    disabled handler_prefix compression compression_min_size compression_level read_buffer_size
    use_write_buffer_pool write_buffer_size write_timeout decompressed_message_size_limit
  `),
}

const channelOptions = words(`
  presence join_leave force_push_join_leave map_clients_presence_channel_prefix
  map_users_presence_channel_prefix history_meta_ttl
  force_recovery_mode auto_cache_recover allowed_delta_types allow_tags_filter delta_publish
  allow_presence_for_anonymous allow_presence_for_subscriber allow_presence_for_client
  allow_user_limited_channels channel_regex publication_data_format subscribe_proxy_enabled
  subscribe_proxy_name publish_proxy_enabled publish_proxy_name sub_refresh_proxy_enabled
  sub_refresh_proxy_name subscribe_stream_proxy_enabled subscribe_stream_proxy_name
  subscribe_stream_proxy_bidirectional subscription_type map shared_poll
`)

const known = new Set([
  ...sections,
  ...Object.entries(inSections).flatMap(([section, names]) => names.map((name) => `${section}.${name}`)),
  ...channelOptions.map((name) => `channel.without_namespace.${name}`),
  ...channelOptions.map((name) => `channel.namespaces[].${name}`),
])

/** True when Centrifugo v6 has the key, or one above it. `channel.namespaces[2].presence` counts as any index. */
export function isCentrifugoKey(path: string): boolean {
  const names = path.replaceAll(/\[\d+\]/g, '[]').split('.')
  return names.some((_, index) => known.has(names.slice(0, index + 1).join('.')))
}
