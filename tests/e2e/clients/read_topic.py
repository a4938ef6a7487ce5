"""Reads a topic with Confluent's Python client and decodes each value: read_topic.py BROKERS TOPIC COUNT [REGISTRY]

Run by the Python of scripts/registry, with the code that protoc made of the schema on PYTHONPATH. Prints one JSON line for
each record: key, headers, sequence, session, body.
"""

import json
import sys

from confluent_kafka import Consumer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from holdpoint.v1 import event_pb2

brokers, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
deserialize = None
if len(sys.argv) > 4:
    from confluent_kafka.schema_registry import SchemaRegistryClient
    deserialize = ProtobufDeserializer(event_pb2.Envelope, {'use.deprecated.format': False},
                                       SchemaRegistryClient({'url': sys.argv[4]}))
consumer = Consumer({'bootstrap.servers': brokers, 'group.id': 'python', 'auto.offset.reset': 'earliest',
                     'enable.auto.commit': False})
consumer.subscribe([topic])
for _ in range(count):
    message = consumer.poll(60)
    if message is None or message.error():
        sys.exit(f'no record: {message and message.error()}')
    if deserialize:
        event = deserialize(message.value(), SerializationContext(topic, MessageField.VALUE))
    else:
        event = event_pb2.Envelope.FromString(message.value())
    bodies = [field.name for field, _ in event.ListFields() if field.number >= 20]
    print(json.dumps({'key': message.key().decode(), 'headers': {k: v.decode() for k, v in message.headers()},
                      'sequence': event.sequence, 'session': event.session, 'body': bodies}))
consumer.close()
