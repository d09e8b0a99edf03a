// ThingsBoard
