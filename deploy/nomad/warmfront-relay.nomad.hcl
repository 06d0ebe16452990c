# Relays of Warmfront, one on each client of the class "relay": edges come to them instead of the control nodes (--relays). The data directory
# stays on the client: it says who the relay is. Each client needs a token for its first start, in /etc/warmfront/warmfront.toml there:
#
#   [relay]
#   token = "wfe1..."
job "warmfront-relay" {
  type = "system"

  constraint {
    attribute = "${node.class}"
    value     = "relay"
  }

  # One after the other: the edges of one go to the others meanwhile.
  update {
    max_parallel     = 1
    health_check     = "checks"
    min_healthy_time = "45s"
    healthy_deadline = "5m"
  }

  group "relay" {
    network {
      mode = "host"
      port "relay" {
        static = 4445
      }
      port "telemetry" {
        static = 9100
      }
    }

    # Of the client's own settings: client { host_volume "warmfront-relay" { path = "/var/lib/warmfront-relay" } }, a directory of the user's.
    volume "data" {
      type   = "host"
      source = "warmfront-relay"
    }

    task "relay" {
      driver = "exec"
      user   = "warmfront"

      volume_mount {
        volume      = "data"
        destination = "/var/lib/warmfront-relay"
      }

      config {
        command = "/usr/local/bin/warmfront"
        args = [
          "relay",
          "--config=/etc/warmfront/warmfront.toml",
          "--data=/var/lib/warmfront-relay",
          "--listen=0.0.0.0:4445",
          "--telemetry=${NOMAD_IP_telemetry}:9100",
          "--log-format=json",
        ]
      }

      kill_signal  = "SIGTERM"
      kill_timeout = "30s"

      restart {
        attempts = 10
        interval = "10m"
        delay    = "2s"
        mode     = "delay"
      }

      resources {
        cpu    = 1000
        memory = 1024
      }

      service {
        name     = "warmfront-relay"
        port     = "relay"
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
