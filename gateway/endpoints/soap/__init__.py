"""The SOAP door: the SEAP web-service channel, as trader software already speaks it."""
