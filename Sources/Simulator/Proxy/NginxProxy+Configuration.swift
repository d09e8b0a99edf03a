internal import Foundation

extension NginxProxy {
  /// nginx.conf(5), nothing of the system's own in it.
  static func configuration(
    upstream: String, directory: String, port: UInt16, options: Options, certificates: Certificates?
  ) -> String {
    let protocols = (certificates == nil ? "" : " ssl") + (certificates != nil && options.http2 ? " http2" : "")
    let addresses = ["127.0.0.1"] + (options.ipv6 ? ["[::1]"] : [])
    var server = addresses.map { "listen \($0):\(port)\(protocols);" }
    server.append("server_name localhost;")
    if let certificates {
      // Debian 12 leaves out TLS 1.3 by default.
      server.append("ssl_protocols TLSv1.2 TLSv1.3;")
      server.append("ssl_certificate \(certificates.serverCertificate);")
      server.append("ssl_certificate_key \(certificates.serverKey);")
      server.append("ssl_client_certificate \(certificates.caFile);")
      server.append("ssl_verify_client \(options.requiresClientCertificate ? "on" : "off");")
    }
    if options.http2 { server.append("http2_max_concurrent_streams \(options.maxStreams);") }
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
      "\($0)_temp_path \(directory)/temp-\($0);"
    }
    // As root the workers would be another user, who may not read this directory.
    return """
      \(geteuid() == 0 ? "user root;" : "")
      daemon off;
      worker_processes 1;
      pid \(directory)/nginx.pid;
      error_log \(directory)/error.log notice;
      events { worker_connections 2048; }
      http {
        log_format short '$request_method $status $server_protocol';
        access_log \(directory)/access.log short;
        \(temporary.joined(separator: "\n  "))
        client_max_body_size \(options.maxBodySize);
        server {
          \(server.joined(separator: "\n    "))
          location / {
            proxy_pass \(upstream);
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_read_timeout \(options.readTimeout);
          }
        }
      }

      """
  }
}
