def staff(request):
    return {}
