"""Signing in and out."""

from django.contrib.auth import views as auth
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from accounts.forms import SignInForm
from accounts.services import sign_in


class SignIn(auth.LoginView):
    template_name = "accounts/signin.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    @method_decorator(sensitive_post_parameters("password"))
    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]  # stubs widen to HttpResponseBase

    def form_valid(self, form: SignInForm) -> HttpResponse:  # type: ignore[override]  # narrower form
        response = super().form_valid(form)
        sign_in.seen(self.request)
        return response

    def form_invalid(self, form: SignInForm) -> HttpResponse:  # type: ignore[override]  # narrower form
        return self.render_to_response(self.get_context_data(form=form), status=422)


class SignOut(auth.LogoutView):
    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = super().post(request, *args, **kwargs)
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response
