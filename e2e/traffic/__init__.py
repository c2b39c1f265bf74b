"""Live traffic: payments sent open loop through the gateway, and every answer counted."""
