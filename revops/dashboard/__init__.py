"""The analysts' dashboard: a page in the browser that reads `serving` as an analyst does. Owns no number: models do.

serve     starts it                      queries   every statement it runs
page      what all its pages share       reader    the connection they run on
sections  one page each                  charts    how figures are drawn
"""
