"""The FHIR R4 interface: reading and searching what outputs.fhir_resources makes, and the access log as AuditEvents."""
