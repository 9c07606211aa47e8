"""Sends one counter and one histogram with the OpenTelemetry SDK.

usage: otel_metrics.py http|grpc ENDPOINT SERVICE
"""
import sys

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

protocol, endpoint, service = sys.argv[1:]
if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    exporter = OTLPMetricExporter(endpoint=endpoint, insecure=True)
else:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    exporter = OTLPMetricExporter(endpoint=endpoint)
resource = Resource.create({"service.name": service, "service.instance.id": "i1", "deployment.environment": "ci"})
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=600000)
provider = MeterProvider(resource=resource, metric_readers=[reader])
meter = provider.get_meter("obsq.tests")
meter.create_counter("shop.orders", unit="1").add(7, {"code": "200"})
meter.create_histogram("shop.latency", unit="s").record(0.3, {"code": "200"})
provider.force_flush()
provider.shutdown()
