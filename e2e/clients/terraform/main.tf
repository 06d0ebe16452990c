# Applied, planned again (nothing to do), changed in place, imported and destroyed by e2e/clients/run.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.0" }
  }
}

variable "endpoint" { type = string }
variable "comment" {
  type    = string
  default = "terraform"
}

provider "aws" {
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  skip_region_validation      = true
  endpoints { cloudfront = var.endpoint }
}

data "aws_cloudfront_cache_policy" "optimized" { name = "Managed-CachingOptimized" }

resource "aws_cloudfront_cache_policy" "mine" {
  name        = "terraform"
  min_ttl     = 0
  default_ttl = 60
  max_ttl     = 600
  parameters_in_cache_key_and_forwarded_to_origin {
    cookies_config { cookie_behavior = "none" }
    headers_config {
      header_behavior = "whitelist"
      headers { items = ["X-Lang"] }
    }
    query_strings_config { query_string_behavior = "all" }
    enable_accept_encoding_gzip   = true
    enable_accept_encoding_brotli = true
  }
}

resource "aws_cloudfront_origin_request_policy" "mine" {
  name = "terraform"
  cookies_config { cookie_behavior = "all" }
  headers_config { header_behavior = "none" }
  query_strings_config { query_string_behavior = "all" }
}

resource "aws_cloudfront_distribution" "site" {
  enabled             = true
  comment             = var.comment
  default_root_object = "index.html"
  price_class         = "PriceClass_100"
  is_ipv6_enabled     = true
  aliases             = ["terraform.example.com"]

  origin {
    origin_id   = "site"
    domain_name = "localhost"
    origin_path = "/site"
    custom_origin_config {
      http_port              = 8090
      https_port             = 443
      origin_protocol_policy = "http-only"
      origin_ssl_protocols   = ["TLSv1.2"]
    }
    custom_header {
      name  = "X-From"
      value = "terraform"
    }
  }

  origin {
    origin_id   = "mirror"
    domain_name = "localhost"
    custom_origin_config {
      http_port              = 8091
      https_port             = 443
      origin_protocol_policy = "http-only"
      origin_ssl_protocols   = ["TLSv1.2"]
    }
  }

  origin_group {
    origin_id = "site-or-mirror"
    failover_criteria { status_codes = [404, 500, 503, 504] }
    member { origin_id = "site" }
    member { origin_id = "mirror" }
  }

  default_cache_behavior {
    target_origin_id         = "site"
    allowed_methods          = ["GET", "HEAD", "OPTIONS"]
    cached_methods           = ["GET", "HEAD"]
    viewer_protocol_policy   = "allow-all"
    cache_policy_id          = aws_cloudfront_cache_policy.mine.id
    origin_request_policy_id = aws_cloudfront_origin_request_policy.mine.id
    compress                 = true
  }

  ordered_cache_behavior {
    path_pattern           = "/images/*"
    target_origin_id       = "site-or-mirror"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    viewer_protocol_policy = "redirect-to-https"
    cache_policy_id        = data.aws_cloudfront_cache_policy.optimized.id
  }

  ordered_cache_behavior {
    path_pattern           = "/legacy/*"
    target_origin_id       = "site"
    allowed_methods        = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods         = ["GET", "HEAD"]
    viewer_protocol_policy = "allow-all"
    min_ttl                = 0
    default_ttl            = 10
    max_ttl                = 100
    forwarded_values {
      query_string = true
      headers      = ["Origin"]
      cookies { forward = "none" }
    }
  }

  custom_error_response {
    error_code            = 404
    response_code         = 200
    response_page_path    = "/404.html"
    error_caching_min_ttl = 5
  }

  restrictions {
    geo_restriction { restriction_type = "none" }
  }

  viewer_certificate {
    acm_certificate_arn      = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
    ssl_support_method       = "sni-only"
    minimum_protocol_version = "TLSv1.2_2021"
  }

  tags = { Name = "terraform", team = "web" }
}

output "id" { value = aws_cloudfront_distribution.site.id }
