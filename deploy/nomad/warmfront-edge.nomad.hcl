# Edges of Warmfront, one on each client of the class "edge". The data directory stays on the client: it says who the edge is.
# Each client needs a token for its first start, in /etc/warmfront/warmfront.toml there:
#
#   [edge]
#   token = "wfe1..."
job "warmfront-edge" {
  type = "system"

  constraint {
    attribute = "${node.class}"
    value     = "edge"
  }

  # One machine after the other, and only when the one before serves.
  update {
    max_parallel     = 1
    health_check     = "checks"
    min_healthy_time = "10s"
    healthy_deadline = "5m"
  }

  group "edge" {
    network {
      mode = "host"
      port "http" {
        static = 80
      }
      port "https" {
        static = 443
      }
      port "telemetry" {
        static = 9100
      }
    }

    # Of the client's own settings: client { host_volume "warmfront-edge" { path = "/var/lib/warmfront-edge" } }, a directory of the user's.
    volume "data" {
      type   = "host"
      source = "warmfront-edge"
    }

    task "edge" {
      driver = "exec"
      user   = "warmfront"

      volume_mount {
        volume      = "data"
        destination = "/var/lib/warmfront-edge"
      }

      config {
        command = "/usr/local/bin/warmfront"
        args = [
          "edge",
          "--config=/etc/warmfront/warmfront.toml",
          "--data=/var/lib/warmfront-edge",
          "--http=0.0.0.0:80",
          "--https=0.0.0.0:443",
          "--telemetry=${NOMAD_IP_telemetry}:9100",
          "--drain-grace=2s",
          "--drain-timeout=30s",
          "--log-format=json",
        ]
        cap_add = ["net_bind_service"]
      }

      kill_signal  = "SIGTERM"
      kill_timeout = "60s"

      # After warmfront edge drain its exit code is 0, and it stays ended until the job is started again.
      restart {
        attempts = 10
        interval = "10m"
        delay    = "2s"
        mode     = "delay"
      }

      resources {
        cpu    = 2000
        memory = 2048
      }

      service {
        name     = "warmfront-edge"
        port     = "http"
        provider = "nomad"

        check {
          type     = "http"
          port     = "telemetry"
          path     = "/readyz"
          interval = "5s"
          timeout  = "2s"
        }
      }
    }
  }
}
